import django.db.models.deletion
import innotter_contracts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """A family of refresh tokens becomes a session, and keeps its id."""

    dependencies = [("accounts", "0002_images")]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.UUIDField(default=innotter_contracts.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("user_agent", models.CharField(default="", max_length=200)),
                ("last_used_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(
            """
            INSERT INTO accounts_session (id, created_at, updated_at, user_agent, last_used_at, user_id)
            SELECT family, min(created_at), max(created_at), '', max(created_at), user_id
            FROM accounts_refreshtoken GROUP BY family, user_id
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RemoveField(model_name="refreshtoken", name="user"),
        migrations.RenameField(model_name="refreshtoken", old_name="family", new_name="session"),
        migrations.AlterField(
            model_name="refreshtoken",
            name="session",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="accounts.session"),
        ),
    ]
