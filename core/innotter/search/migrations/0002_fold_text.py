"""The indexes of 0001 over fold_text(), which knows case and composition of every script."""

from django.db import migrations

TEXTS = [
    ("pages_page", "name"),
    ("pages_page", "uuid"),
    ("pages_tag", "name"),
    ("accounts_user", "username"),
    ("accounts_user", "title"),
]
FUNCTION = """
CREATE FUNCTION search_text(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(lower($1), 'ё', 'е')
"""


def indexes(table, column, function):
    begins, like = f"search_{table}_{column}_begins", f"search_{table}_{column}_like"
    text = f'({function}({column}) COLLATE "C")'
    return [
        f"DROP INDEX {begins}, {like}",
        f"CREATE INDEX {begins} ON {table} ({text}, id)",
        f"CREATE INDEX {like} ON {table} USING gin ({text} gin_trgm_ops)",
    ]


def index(table, column):
    return migrations.RunSQL(
        indexes(table, column, "fold_text"), indexes(table, column, "search_text")
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("common", "0002_fold_text"),
        ("pages", "0001_initial"),
        ("search", "0001_initial"),
    ]

    operations = [
        *(index(table, column) for table, column in TEXTS),
        migrations.RunSQL("DROP FUNCTION search_text(text)", FUNCTION),
    ]
