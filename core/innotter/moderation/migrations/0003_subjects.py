import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Of entries from before there was a subject. A post that is gone was named by its page's uuid,
# which may be another one by now: then there is no way to tell, and the words stay.
SUBJECTS = """
    UPDATE moderation_moderationaction AS entry SET subject_id = entry.target_id
    FROM accounts_user AS one WHERE entry.target_kind = 'user' AND one.id = entry.target_id;
    UPDATE moderation_moderationaction AS entry SET subject_id = page.owner_id
    FROM pages_page AS page WHERE entry.target_kind = 'page' AND page.id = entry.target_id;
    UPDATE moderation_moderationaction AS entry SET subject_id = page.owner_id
    FROM pages_page AS page
    WHERE entry.target_kind = 'post'
      AND lower(page.uuid) = lower(split_part(entry.target, ': ', 1));
"""


class Migration(migrations.Migration):
    """Entries know whom they concern, so that their words can go with that account."""

    dependencies = [
        ("moderation", "0002_account_actions"),
        ("pages", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "moderationaction",
            "actor_is_gone",
            models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            "moderationaction",
            "subject",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            "moderationaction", "target", models.CharField(blank=True, max_length=250)
        ),
        migrations.RunSQL(SUBJECTS, migrations.RunSQL.noop),
    ]
