import django.db.models.deletion
import innotter.common.models
import innotter_contracts.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    """Uuids that pages had stay their owners' for a while."""

    dependencies = [("pages", "0007_index_of_owner")]

    operations = [
        migrations.CreateModel(
            "FormerUuid",
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
                ("uuid", models.CharField(max_length=30, unique=True)),
                ("reserved_until", models.DateTimeField()),
                (
                    "page",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_uuids",
                        to="pages.page",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["reserved_until"], name="former_uuid_end")]
            },
        ),
    ]
