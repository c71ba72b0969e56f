import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# By the names that Django gave them. What each found is found by an index that begins with its column:
# post_of_page, post_in_reply, like_once, like_of_user.
INDEXES = {
    "posts_post_page_id_e65c3edc": "posts_post (page_id)",
    "posts_post_reply_to_id_9f9bbc62": "posts_post (reply_to_id)",
    "posts_like_post_id_127195b7": "posts_like (post_id)",
    "posts_like_user_id_1d505823": "posts_like (user_id)",
}


class Migration(migrations.Migration):
    # AlterField would make the foreign keys anew, and read both tables to check them.
    atomic = False

    dependencies = [
        ('pages', '0006_revision'),
        ('posts', '0002_idempotency_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE INDEX CONCURRENTLY {name} ON {columns}",
                )
                for name, columns in INDEXES.items()
            ],
            state_operations=[
                migrations.AlterField(
                    model_name='like',
                    name='post',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='likes', to='posts.post'),
                ),
                migrations.AlterField(
                    model_name='like',
                    name='user',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='likes', to=settings.AUTH_USER_MODEL),
                ),
                migrations.AlterField(
                    model_name='post',
                    name='page',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='posts', to='pages.page'),
                ),
                migrations.AlterField(
                    model_name='post',
                    name='reply_to',
                    field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='replies', to='posts.post'),
                ),
            ],
        ),
    ]
