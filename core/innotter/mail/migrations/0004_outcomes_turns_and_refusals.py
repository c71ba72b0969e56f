import django.contrib.postgres.operations
import django.db.models.functions.datetime
from django.db import migrations, models

BATCH = 10_000
# The states' new names, in one pass by the key; workers of the version before may go on meanwhile.
RENAME = """
    WITH batch AS (
        SELECT id, state FROM mail_delivery WHERE id > %(after)s ORDER BY id LIMIT %(batch)s
    ), renamed AS (
        UPDATE mail_delivery SET state = names.new
        FROM batch JOIN (VALUES {names}) AS names (old, new) ON names.old = batch.state
        WHERE mail_delivery.id = batch.id AND mail_delivery.state = names.old
    )
    SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
NEW = "('doubtful', 'unknown'), ('left out', 'skipped')"
OLD = "('unknown', 'doubtful'), ('skipped', 'left out')"


def rename(names):
    def run(apps, editor):
        with editor.connection.cursor() as cursor:
            after = "00000000-0000-0000-0000-000000000000"
            while after:
                cursor.execute(RENAME.format(names=names), {"after": after, "batch": BATCH})
                row = cursor.fetchone()
                after = row and row[0]

    return run


class Migration(migrations.Migration):
    # Indexes are built and rows renamed while mail goes on being queued and sent.
    atomic = False

    dependencies = [("mail", "0003_suppressions")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("sending", "Sending"),
                    ("sent", "Sent"),
                    ("failed", "Failed"),
                    ("unknown", "Unknown"),
                    ("skipped", "Skipped"),
                ],
                db_default="waiting",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="suppression",
            name="reason",
            field=models.CharField(
                choices=[("bounce", "Bounce"), ("complaint", "Complaint"), ("refused", "Refused")],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="turn_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name="delivery",
            name="urgent",
            field=models.BooleanField(db_default=False),
        ),
        migrations.RunPython(rename(NEW), rename(OLD)),
        migrations.RunSQL(
            "UPDATE mail_delivery SET turn_at = due_at WHERE state = 'waiting'",
            migrations.RunSQL.noop,
        ),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "waiting")),
                fields=["turn_at", "id"],
                name="delivery_turn",
            ),
        ),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state__in", ["failed", "unknown"])),
                fields=["state", "-id"],
                name="delivery_failed",
            ),
        ),
        django.contrib.postgres.operations.RemoveIndexConcurrently(
            model_name="delivery", name="delivery_due"
        ),
        django.contrib.postgres.operations.RemoveIndexConcurrently(
            model_name="delivery", name="delivery_wrong"
        ),
    ]
