from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from innotter.events.models import OutboxEvent
from innotter_contracts.events import Event
from innotter_contracts.ids import first_id_of
from innotter_contracts.logs import current_request_id

# The relay listens here.
CHANNEL = "innotter_outbox"
# Published events are kept for those who ask where one stands, and then deleted: so many in one
# transaction, and so many transactions in one run.
KEPT = timedelta(days=7)
PRUNED_AT_ONCE = 5_000
PRUNINGS = 20
# Ids sort by their moment: what is too young is never looked at.
PRUNE = """
    DELETE FROM events_outboxevent WHERE id IN (
        SELECT id FROM events_outboxevent
        WHERE id < %s AND published_at < %s
        ORDER BY id LIMIT %s
        FOR UPDATE SKIP LOCKED
    )
"""
MARK_PUBLISHED = "UPDATE events_outboxevent SET published_at = %s WHERE id = ANY(%s)"
PUT_BACK_DUE = """
    UPDATE events_outboxevent SET set_aside_until = NULL WHERE id IN (
        SELECT id FROM events_outboxevent
        WHERE published_at IS NULL AND set_aside_until <= %s
        ORDER BY set_aside_until LIMIT %s
        FOR UPDATE SKIP LOCKED
    )
"""


def record(*events: Event) -> None:
    """Owes the world these events. Called in the transaction of the change that they tell of,
    so that both are kept or neither; the relay is woken when that transaction commits."""
    assert connection.in_atomic_block, "an event without its change"
    OutboxEvent.objects.bulk_create(map(_owed, events))
    _wake_relay()


def mark_published(ids: list[UUID]) -> None:
    """One array is read by PostgreSQL, and made by Django, much quicker than so many values."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_PUBLISHED, [timezone.now(), ids])


def put_back(ids: Iterable[UUID] | None = None) -> int:
    """Lets the relay try again at once what is set aside: all of it, or these events; how many."""
    rows = OutboxEvent.objects.filter(published_at=None, set_aside_until__isnull=False)
    if ids is not None:
        rows = rows.filter(id__in=ids)
    count = rows.update(set_aside_until=None)
    _wake_relay()
    return count


def put_back_due(*, limit: int) -> int:
    """The same for those whose time has come; how many."""
    with connection.cursor() as cursor:
        cursor.execute(PUT_BACK_DUE, [timezone.now(), limit])
        return int(cursor.rowcount)


def prune_outbox() -> int:
    """Deletes what was published more than KEPT ago, oldest first; how many events.

    Several at once share the work.
    """
    until = timezone.now() - KEPT
    pruned = 0
    for _ in range(PRUNINGS):
        with connection.cursor() as cursor:
            cursor.execute(PRUNE, [first_id_of(until), until, PRUNED_AT_ONCE])
            pruned += cursor.rowcount
            if cursor.rowcount < PRUNED_AT_ONCE:
                break
    return pruned


def _wake_relay() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def _owed(event: Event) -> OutboxEvent:
    event = event.model_copy(update={"request_id": current_request_id()})
    return OutboxEvent(
        id=event.id,
        type=event.type,
        body=event.model_dump(mode="json"),
        occurred_at=event.occurred_at,
    )
