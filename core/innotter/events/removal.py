"""What the outbox keeps of a user, for as long as it keeps anything."""

from uuid import UUID

from django.db import connection, transaction

# In place of who is gone: the audit still counts these events.
NOBODY = UUID(int=0)
# They say what a page was called, and nothing that is counted; its own end is told apart.
NAMING = ["page.created", "page.changed", "page.recounted"]

UNPUBLISHED = """
    SELECT EXISTS (
        SELECT FROM events_outboxevent WHERE published_at IS NULL AND body::text LIKE %s
    )
"""
FIND = "SELECT id FROM events_outboxevent WHERE body::text LIKE %s ORDER BY id LIMIT %s FOR UPDATE"
DELETE = "DELETE FROM events_outboxevent WHERE id = ANY(%s) AND type = ANY(%s)"
REPLACE = """
    UPDATE events_outboxevent SET body = replace(body::text, %s, %s)::jsonb WHERE id = ANY(%s)
"""


def has_unpublished(user_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(UNPUBLISHED, [f"%{user_id}%"])
        return bool(cursor.fetchone()[0])


@transaction.atomic
def forget_some_events(user_id: UUID, *, at_once: int) -> int:
    """How many named the user, and do so no longer."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, [f"%{user_id}%", at_once])
        found = [event_id for (event_id,) in cursor.fetchall()]
        cursor.execute(DELETE, [found, NAMING])
        cursor.execute(REPLACE, [str(user_id), str(NOBODY), found])
    return len(found)
