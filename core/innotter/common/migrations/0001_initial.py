from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Usage",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("used", models.IntegerField()),
                ("until", models.DateTimeField()),
            ],
        ),
        # Counting waits for no disk; after a crash of the server it begins anew. Room on each
        # page lets an update stay on it.
        migrations.RunSQL(
            """
            ALTER TABLE common_usage SET UNLOGGED;
            ALTER TABLE common_usage SET (fillfactor = 50);
            """,
            migrations.RunSQL.noop,
        ),
    ]
