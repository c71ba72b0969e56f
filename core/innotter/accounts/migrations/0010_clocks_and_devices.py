import django.core.validators
import django.db.models.deletion
import innotter.common.models
import innotter.common.time_zones
import innotter_contracts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Users have clocks of their own, and sessions say from where they were used."""

    dependencies = [("accounts", "0009_mailboxes")]

    operations = [
        migrations.AddField(
            "user",
            "time_zone",
            models.CharField(
                db_default="UTC",
                default="UTC",
                max_length=64,
                validators=[innotter.common.time_zones.known_time_zone],
            ),
        ),
        # Who is here already goes on to get daily mail at midnight, UTC.
        migrations.AddField(
            "user", "digest_hour", models.PositiveSmallIntegerField(db_default=0, default=8)
        ),
        migrations.AlterField(
            "user",
            "digest_hour",
            models.PositiveSmallIntegerField(
                db_default=8, default=8, validators=[django.core.validators.MaxValueValidator(23)]
            ),
        ),
        migrations.AddField(
            "user", "login_notifications", models.BooleanField(db_default=True, default=True)
        ),
        migrations.AddField(
            "session", "network", models.CharField(db_default="", default="", max_length=50)
        ),
        migrations.CreateModel(
            "KnownDevice",
            [
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", innotter.common.models.ChangedAt()),
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["updated_at"], name="known_device_age")]},
        ),
    ]
