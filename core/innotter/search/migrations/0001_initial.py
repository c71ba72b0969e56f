"""What the one query of this room stands on; the tables belong to the rooms below, which know
nothing of being found.

Each text that is searched has two indexes: one in alphabetical order, for those that begin with
the question, and one of trigrams, for those that are like it. The collation is C, because an
index in the order of its code points answers LIKE and ORDER BY both.
"""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# The same as common.database.normal_text.
FUNCTION = """
CREATE FUNCTION search_text(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(lower($1), 'ё', 'е')
"""
TEXTS = [
    ("pages_page", "name"),
    ("pages_page", "uuid"),
    ("pages_tag", "name"),
    ("accounts_user", "username"),
    ("accounts_user", "title"),
]


def index(table, column):
    text = f'(search_text({column}) COLLATE "C")'
    begins, like = f"search_{table}_{column}_begins", f"search_{table}_{column}_like"
    return migrations.RunSQL(
        [
            f"CREATE INDEX {begins} ON {table} ({text}, id)",
            f"CREATE INDEX {like} ON {table} USING gin ({text} gin_trgm_ops)",
        ],
        [f"DROP INDEX {begins}", f"DROP INDEX {like}"],
    )


class Migration(migrations.Migration):
    initial = True

    dependencies = [("accounts", "0001_initial"), ("pages", "0001_initial")]

    operations = [
        TrigramExtension(),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION search_text(text)"),
        *(index(table, column) for table, column in TEXTS),
    ]
