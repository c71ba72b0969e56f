from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_claims_of_invitations")]

    operations = [
        migrations.AddField(
            "Session", "writes", models.BigIntegerField(db_default=0, default=0)
        ),
    ]
