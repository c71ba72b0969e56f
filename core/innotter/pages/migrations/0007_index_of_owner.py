import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    # As in 0003 of posts: page_of_owner begins with the same column.
    atomic = False

    dependencies = [("pages", "0006_revision")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS pages_page_owner_id_cf6ff9ff",
                    "CREATE INDEX CONCURRENTLY pages_page_owner_id_cf6ff9ff ON pages_page (owner_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="page",
                    name="owner",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pages",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
