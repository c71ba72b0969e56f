"""Open connections know the indexes of 0002 by the former fold_text(), and would read whole tables
until they are closed: what changes nothing of an index makes them look again."""

from django.db import migrations

TEXTS = [
    ("pages_page", "name"),
    ("pages_page", "uuid"),
    ("pages_tag", "name"),
    ("accounts_user", "username"),
    ("accounts_user", "title"),
]


def reread(table, column):
    begins, like = f"search_{table}_{column}_begins", f"search_{table}_{column}_like"
    return migrations.RunSQL(
        [f"ALTER INDEX {begins} RESET (fillfactor)", f"ALTER INDEX {like} RESET (fastupdate)"],
        migrations.RunSQL.noop,
    )


class Migration(migrations.Migration):
    dependencies = [("search", "0002_fold_text"), ("common", "0005_fold_text_inline")]

    operations = [reread(table, column) for table, column in TEXTS]
