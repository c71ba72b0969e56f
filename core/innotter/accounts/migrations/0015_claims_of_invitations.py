from django.db import migrations, models


class Migration(migrations.Migration):
    """A claim holds a use of its invitation, which counts as used once there is an account."""

    dependencies = [("accounts", "0014_registrations")]

    operations = [
        migrations.AddField("Registration", "invitation_id", models.UUIDField(null=True)),
        migrations.AddIndex(
            "Registration",
            models.Index(
                fields=["invitation_id"],
                condition=models.Q(invitation_id__isnull=False),
                name="registration_invited",
            ),
        ),
    ]
