"""The schema can be spread over several servers by page, as Citus would have it (docs/scale.md).

The database itself is asked: an index or a table made by hand counts as one of a model.
"""

from typing import Any

import pytest
from django.db import connection

# Spread by `page_id`: a page, its posts and what belongs to them lie on one server.
DISTRIBUTED = {"events_epoch", "mail_delivery", "pages_follow", "posts_like", "posts_post"}
# Whole on every server: who and what there is. Uniqueness over everything is to be had here alone.
REFERENCE = {
    *("accounts_user", "media_picture"),
    *("pages_formeruuid", "pages_page", "pages_page_tags", "pages_tag"),
}
# On one server: what belongs to a user alone, to a login or to the whole.
LOCAL = {
    *("accounts_accountmail", "accounts_challenge", "accounts_formermailbox"),
    *("accounts_formerusername", "accounts_invitation", "accounts_knowndevice", "accounts_knownip"),
    *("accounts_mailtoken", "accounts_passkey", "accounts_recoverycode", "accounts_refreshtoken"),
    *("accounts_registration", "accounts_session", "accounts_totp"),
    *("auth_group", "auth_group_permissions", "auth_permission"),
    *("common_maintenance", "common_usage"),
    "deletion_deletion",
    *("django_admin_log", "django_content_type", "django_migrations"),
    *("events_discardedletter", "events_outboxevent"),
    "exports_export",
    *("mail_quota", "mail_suppression"),
    "moderation_moderationaction",
    # Names its post without a foreign key: a request is known by its user.
    "posts_idempotencykey",
}
# The registry of pages names them too, and is on every server.
REGISTRY = {"pages_page", "pages_formeruuid", "pages_page_tags"}

pytestmark = pytest.mark.django_db


def rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


# An index of a table, whether it is unique, whether it is the primary key, and its columns.
INDEXES = """
    SELECT indrelid::regclass::text, indexrelid::regclass::text, indisunique, indisprimary,
           ARRAY(SELECT attname::text
                 FROM unnest(indkey::smallint[]) WITH ORDINALITY AS key (number, place)
                 JOIN pg_attribute ON attrelid = indrelid AND attnum = key.number
                 WHERE place <= indnkeyatts ORDER BY place)
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace
"""
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, confrelid::regclass::text
    FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
COLUMNS = """
    SELECT attrelid::regclass::text, attname::text, attnotnull,
           attidentity <> '' OR coalesce(pg_get_expr(adbin, adrelid) ~ 'nextval', false)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND attnum > 0 AND NOT attisdropped
"""


def test_each_table_is_distributed_or_reference_or_local() -> None:
    listed = [*DISTRIBUTED, *REFERENCE, *LOCAL]
    assert sorted(listed) == sorted({table for table, *_ in rows(COLUMNS)})


def test_what_is_unique_on_a_distributed_table_is_so_within_a_page() -> None:
    unique = [row for row in rows(INDEXES) if row[0] in DISTRIBUTED and row[2] and not row[3]]
    assert {row[1] for row in unique} >= {"like_once", "follow_once", "delivery_once"}
    assert [name for _, name, _, _, columns in unique if "page_id" not in columns] == []


def test_a_distributed_table_names_the_page_of_each_row() -> None:
    named = {
        table for table, column, required, _ in rows(COLUMNS) if column == "page_id" and required
    }
    assert DISTRIBUTED - named == set()
    # And finds the rows of a page by it.
    found = {table for table, _, _, _, columns in rows(INDEXES) if columns[:1] == ["page_id"]}
    assert DISTRIBUTED - found == set()


def test_a_child_of_a_page_is_distributed_with_it() -> None:
    """Whatever names a page, a post or a follow: but for the registry of pages itself."""
    parents = DISTRIBUTED | {"pages_page"}
    children = {child for child, parent in rows(FOREIGN_KEYS) if parent in parents}
    children |= {table for table, column, *_ in rows(COLUMNS) if column == "page_id"}
    assert children - REGISTRY == DISTRIBUTED


def test_foreign_keys_stay_within_a_page_or_lead_to_what_is_everywhere() -> None:
    """Between two distributed tables each names its page, as tested above."""
    leading = {**dict.fromkeys(DISTRIBUTED, DISTRIBUTED | REFERENCE)}
    leading |= dict.fromkeys(REFERENCE, REFERENCE) | dict.fromkeys(LOCAL, LOCAL | REFERENCE)
    astray = [
        (child, parent) for child, parent in rows(FOREIGN_KEYS) if parent not in leading[child]
    ]
    assert astray == []


def test_no_distributed_table_draws_its_ids_from_a_sequence() -> None:
    assert {table for table, _, _, drawn in rows(COLUMNS) if drawn} & DISTRIBUTED == set()
