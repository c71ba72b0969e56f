from django.db import migrations, models


class Migration(migrations.Migration):
    """Browsers' sessions stand beside those of programs; Django's own table of them goes."""

    dependencies = [("accounts", "0006_canonical_emails")]

    operations = [
        migrations.AddField("session", "cookie_digest", models.CharField(max_length=64, null=True, unique=True)),
        migrations.AddField("session", "cookie_role", models.CharField(default="", max_length=10)),
        migrations.AddField("session", "authenticated_at", models.DateTimeField(null=True)),
        migrations.RunSQL("DROP TABLE IF EXISTS django_session", migrations.RunSQL.noop),
    ]
