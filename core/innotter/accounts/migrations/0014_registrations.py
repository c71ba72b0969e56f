import django.db.models.deletion
import django.db.models.functions.text
import innotter.common.models
import innotter_contracts.ids
from django.conf import settings
from django.db import migrations, models

RECORD = [
    (
        "id",
        models.UUIDField(
            default=innotter_contracts.ids.new_id, editable=False, primary_key=True, serialize=False
        ),
    ),
    ("created_at", models.DateTimeField(auto_now_add=True)),
    ("updated_at", innotter.common.models.ChangedAt()),
]


class Migration(migrations.Migration):
    """Claims on accounts that are not there yet, and invitations to them."""

    dependencies = [("accounts", "0013_second_factor")]

    operations = [
        migrations.CreateModel(
            "Invitation",
            [
                *RECORD,
                ("code", models.CharField(max_length=32, unique=True)),
                ("uses", models.PositiveIntegerField()),
                ("used", models.PositiveIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(used__lte=models.F("uses")),
                        name="invitation_not_overused",
                    )
                ],
                "indexes": [models.Index(fields=["expires_at"], name="invitation_end")],
            },
        ),
        migrations.CreateModel(
            "Registration",
            [
                *RECORD,
                ("username", models.CharField(max_length=30)),
                ("mailbox", models.CharField(max_length=254)),
                ("password", models.CharField(max_length=128)),
                ("title", models.CharField(max_length=100)),
                (
                    "language",
                    models.CharField(choices=[("en", "English"), ("ru", "Russian")], max_length=2),
                ),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                ("needs_approval", models.BooleanField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("username"),
                        name="registration_username_unique",
                    )
                ],
                "indexes": [
                    models.Index(fields=["expires_at"], name="registration_end"),
                    models.Index(fields=["mailbox"], name="registration_mailbox"),
                    models.Index(
                        condition=models.Q(
                            ("confirmed_at__isnull", False), ("needs_approval", True)
                        ),
                        fields=["id"],
                        name="registration_waiting",
                    ),
                ],
            },
        ),
    ]
