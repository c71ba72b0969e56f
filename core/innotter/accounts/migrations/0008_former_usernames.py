import django.db.models.deletion
import innotter.common.models
import innotter_contracts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Names that users had stay theirs for a while."""

    dependencies = [("accounts", "0007_site_sessions")]

    operations = [
        migrations.CreateModel(
            "FormerUsername",
            [
                (
                    "id",
                    models.UUIDField(
                        default=innotter_contracts.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", innotter.common.models.ChangedAt()),
                ("username", models.CharField(max_length=30, unique=True)),
                ("reserved_until", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="former_usernames",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["reserved_until"], name="former_username_end")
                ]
            },
        ),
    ]
