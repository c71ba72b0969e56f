"""Publishes the events of the outbox to RabbitMQ. Any number of relays may run at once.

A row is marked only after the broker has confirmed its messages: a relay that dies in
between leaves it waiting, and it goes out again. Readers know an event by its id.

A row that cannot be published is deferred for a while with its error, and the rest goes on.
During maintenance nothing is published: that would mark rows.
"""

import math
import select
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from threading import Event as Flag
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from amqp.exceptions import AMQPError, ChannelError
from celery.canvas import Signature
from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.db.models import TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone
from kombu.exceptions import KombuError

from innotter.common.maintenance import maintenance
from innotter.common.outages import count_disk_full, end_if_refused
from innotter.events.metrics import DEFERRED, PUBLISHED
from innotter.events.models import OutboxEvent
from innotter.events.publisher import (
    Outgoing,
    Publisher,
    Unencodable,
    event_message,
    task_message,
)
from innotter.events.services import CHANNEL, mark_published, requeue_due
from innotter_contracts.backoff import delay_after
from innotter_contracts.events import Event, parse_event

log = structlog.get_logger("innotter.relay")

type Reactions = Callable[[Event], Iterable[Signature[Any]]]

BATCH = 500
# NOTIFY makes the relay prompt; this makes it certain.
POLL_SECONDS = 3.0
# It looks up so often, from waiting for NOTIFY: to the broker's heartbeats, and whether to stop.
TURN_SECONDS = 1.0
RETRY_SECONDS = 1.0
# Rows that are deferred come back after a second, two, four, up to this many; for ever.
LONGEST_DELAY = 300
# Characters of an error that are kept.
LONGEST_ERROR = 2_000


def run_relay(*, amqp_url: str, reactions: Reactions, stop: Flag) -> None:
    """Runs until `stop` is set. Waits for a database or broker that is down; ends where the broker
    refuses the password."""
    while not stop.is_set():
        try:
            _listen()
            with Publisher(amqp_url) as publisher:
                log.info("connected")
                _relay_until(stop, publisher, reactions)
        except (DatabaseFailure, AMQPError, KombuError, OSError) as error:
            end_if_refused(error)
            count_disk_full(error)
            log.warning("waiting", reason=str(error), kind=type(error).__name__)
            connection.close()
            stop.wait(RETRY_SECONDS)


def _relay_until(stop: Flag, publisher: Publisher, reactions: Reactions) -> None:
    looked, is_notified = -math.inf, False
    while not stop.is_set():
        is_due = time.monotonic() - looked >= POLL_SECONDS
        if (is_due or is_notified) and not maintenance():
            if is_due:
                # So few at a time that new rows are not held up by what may fail again.
                requeue_due(limit=BATCH)
                looked = time.monotonic()
            if relay_batch(publisher, reactions):
                is_notified = True
                continue
        publisher.keep_alive()
        is_notified = _is_notified()


def relay_batch(publisher: Publisher, reactions: Reactions, limit: int = BATCH) -> int:
    """Takes up to `limit` waiting events, oldest first; how many they were.

    Afterwards each is published or deferred. Rows that another relay holds are passed over.
    Raises what says that the broker or the database is away; nothing is marked then.
    """
    started = time.perf_counter()
    with transaction.atomic():
        rows = _claim(limit)
        failures = _publish(publisher, reactions, rows)
        published = [row for row in rows if row.id not in failures]
        mark_published([row.id for row in published])
        for row in rows:
            if row.id in failures:
                _defer(row, failures[row.id])
    PUBLISHED.inc(len(published))
    DEFERRED.inc(len(failures))
    ms = round((time.perf_counter() - started) * 1000, 1)
    for row in published:
        log.info(
            "published",
            event_id=str(row.id),
            type=row.type,
            request_id=row.request_id,
            batch=len(rows),
            ms=ms,
        )
    return len(rows)


class _Row(NamedTuple):
    id: UUID
    type: str
    attempts: int
    # Passed on as it is, without being taken apart on the way.
    body: str
    request_id: str | None


def _claim(limit: int) -> list[_Row]:
    waiting = OutboxEvent.objects.filter(published_at=None, next_attempt_at=None)
    locked = waiting.select_for_update(skip_locked=True).order_by("id")[:limit]
    body = Cast("body", TextField())
    return list(
        map(_Row._make, locked.values_list("id", "type", "attempts", body, KT("body__request_id")))
    )


def _publish(publisher: Publisher, reactions: Reactions, rows: Sequence[_Row]) -> dict[UUID, str]:
    """Sends the rows' messages; which rows could not be published, and why."""
    try:
        failures = {}
        for row in rows:
            try:
                messages = _messages(row, reactions)
            except Exception as error:  # noqa: BLE001 # whatever it is, it is this row's alone
                failures[row.id] = _text_of(error)
                continue
            try:
                for message in messages:
                    publisher.publish(message)
            except Unencodable as error:
                failures[row.id] = str(error)
        return failures | publisher.confirm()
    except ChannelError as error:
        # Over one message the broker ends the channel, and does not say over which.
        publisher.reopen()
        if len(rows) == 1:
            return {rows[0].id: str(error)}
        half = len(rows) // 2
        return _publish(publisher, reactions, rows[:half]) | _publish(
            publisher, reactions, rows[half:]
        )


def _messages(row: _Row, reactions: Reactions) -> list[Outgoing]:
    """The event and the tasks that follow from it. Raises whatever is wrong with this row."""
    event = parse_event(row.body)
    tasks = [task_message(task, event) for task in reactions(event)]
    return [event_message(event, row.body), *tasks]


def _text_of(error: Exception) -> str:
    """As PostgreSQL can keep it, which knows neither NUL nor half a surrogate pair."""
    text = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def _defer(row: _Row, error: str) -> None:
    attempts = row.attempts + 1
    seconds = delay_after(attempts, first=1, longest=LONGEST_DELAY)
    OutboxEvent.objects.filter(id=row.id).update(
        next_attempt_at=timezone.now() + timedelta(seconds=seconds),
        attempts=attempts,
        error=error,
    )
    log.warning(
        "deferred",
        event_id=str(row.id),
        type=row.type,
        request_id=row.request_id,
        attempts=attempts,
        reason=error,
    )


def _listen() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def _is_notified() -> bool:
    """Waits for it, a turn at most."""
    # psycopg itself is asked here; what it raises becomes Django's, as everywhere else.
    with connection.wrap_database_errors:
        psycopg = connection.connection

        def has_come() -> bool:
            return any(True for _ in psycopg.notifies(timeout=0, stop_after=1))

        # One may have come along with an answer. To wait, psycopg itself looks ten times a second.
        if has_come():
            return True
        select.select([psycopg], [], [], min(TURN_SECONDS, POLL_SECONDS))
        return has_come()
