import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import batched
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from innotter.common.compiled import fetched
from innotter.common.pruning import prune
from innotter.events.models import OutboxEvent
from innotter_contracts.counting import deltas
from innotter_contracts.events import Event
from innotter_contracts.ids import first_id_of
from innotter_contracts.logs import current_request_id

# The relay listens here.
CHANNEL = "innotter_outbox"
# Published events are kept for those who ask where one stands.
KEPT = timedelta(days=7)
MARK_PUBLISHED = "UPDATE events_outboxevent SET published_at = %s WHERE id = ANY(%s)"
# An array, because in some plans a subquery is run once a row, and then has no limit.
REQUEUE_DUE = """
    UPDATE events_outboxevent SET next_attempt_at = NULL WHERE id = ANY(ARRAY(
        SELECT id FROM events_outboxevent
        WHERE published_at IS NULL AND next_attempt_at <= %s
        ORDER BY next_attempt_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""

# Pages share so many locks: a change of thousands of pages takes no more than these.
STRIPES = 64
# The first half of their keys; the second is the number of the stripe.
LOCK = 0x1A07
# A function of the database (migration 0008): it makes sure that no epoch of these pages begins
# before this transaction ends, says which there are, stores the events, and wakes the relay. With
# the values that `outbox` gives it also stands in statements that make the change itself.
RECORD = "record_events(%s::int[], %s::jsonb)"
RECORDED_AT_ONCE = 5_000
PATIENCE = 1
NEXT_EPOCH = """
    INSERT INTO events_epoch AS last (page_id, number)
    VALUES (%s, extract(epoch FROM clock_timestamp()) * 1000)
    ON CONFLICT (page_id) DO UPDATE SET number = greatest(last.number + 1, excluded.number)
    RETURNING number
"""


class Busy(Exception):
    """Others are at it; the same may be tried again."""


def record(*events: Event) -> None:
    """Stores events to be published. Called in the transaction of the change that they report,
    so that both are kept or neither; the relay is woken when that transaction commits."""
    stripes = _stripes(events)
    for some in batched(events, RECORDED_AT_ONCE, strict=False):
        fetched("SELECT " + RECORD, [stripes, _told(some)])


def outbox(event: Event) -> list[Any]:
    """The values of RECORD, for a statement that makes the change and stores the event of it."""
    return [_stripes([event]), _told([event])]


def begin_epoch(page_id: UUID) -> int:
    """The number of a new epoch of the page's events.

    Nothing that is counted of the page is committed from here to the end of this transaction.
    What was before can be seen now, and its events are of earlier epochs; the events of what
    comes later are of this one, or of later ones. Called early in a transaction that sees what
    others have committed. Raises Busy where others have been telling for PATIENCE seconds.
    """
    with connection.cursor() as cursor, patience():
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, _stripe(page_id)])
        cursor.execute(NEXT_EPOCH, [page_id])
        return int(cursor.fetchone()[0])


@contextmanager
def patience() -> Iterator[None]:
    """Raises Busy where others hold a lock for PATIENCE seconds, from here to the end of the
    transaction: those who come after them wait behind us, and shall not wait for long."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Busy from None
        raise


def mark_published(ids: list[UUID]) -> None:
    """One array is read by PostgreSQL, and made by Django, much quicker than so many values."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_PUBLISHED, [timezone.now(), ids])


def requeue(ids: Iterable[UUID] | None = None) -> int:
    """Has the relay try all deferred events, or these, again at once; how many."""
    rows = OutboxEvent.objects.filter(published_at=None, next_attempt_at__isnull=False)
    if ids is not None:
        rows = rows.filter(id__in=ids)
    count = rows.update(next_attempt_at=None)
    _wake_relay()
    return count


def requeue_due(*, limit: int) -> int:
    """The same for those whose `next_attempt_at` has come; how many."""
    with connection.cursor() as cursor:
        cursor.execute(REQUEUE_DUE, [timezone.now(), limit])
        return int(cursor.rowcount)


def prune_outbox() -> int:
    """Deletes what was published more than KEPT ago, oldest first; how many events."""
    until = timezone.now() - KEPT
    # Ids sort by their moment: what is too young is never looked at.
    old = OutboxEvent.objects.filter(id__lt=first_id_of(until), published_at__lt=until)
    return prune(old, by="id")


def _wake_relay() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def _stripe(page_id: UUID) -> int:
    return page_id.int % STRIPES


def _stripes(events: Iterable[Event]) -> list[int]:
    """Of the pages that the events count for; in order, so that nobody waits for ever."""
    assert connection.in_atomic_block, "an event without its change"
    return sorted({_stripe(delta.page_id) for event in events for delta in deltas(event)})


def _told(events: Iterable[Event]) -> str:
    """The events in JSON, each with the pages that it counts for."""
    request_id = current_request_id()
    texts = []
    for event in events:
        body = event.model_copy(update={"request_id": request_id}).model_dump_json()
        pages = json.dumps([str(delta.page_id) for delta in deltas(event)])
        texts.append(f'{{"body": {body}, "pages": {pages}}}')
    return f"[{', '.join(texts)}]"
