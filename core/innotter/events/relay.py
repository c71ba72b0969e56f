"""Carries what the outbox owes to RabbitMQ. Any number of relays may run at once.

A row is marked only after the broker has confirmed its messages: a relay that dies in
between leaves it waiting, and it goes out again. Readers know an event by its id.

A row that cannot be published is set aside for a while with its error, and the rest goes on.
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from threading import Event as Flag
from typing import Any
from uuid import UUID

import structlog
from amqp.exceptions import AMQPError, ChannelError
from celery.canvas import Signature
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from innotter.events.models import OutboxEvent
from innotter.events.publisher import Publisher
from innotter.events.services import CHANNEL, put_back_due
from innotter_contracts.events import Event, parse_event

log = structlog.get_logger("innotter.relay")

type Reactions = Callable[[Event], Iterable[Signature[Any]]]

BATCH = 500
# NOTIFY makes the relay prompt; this makes it certain.
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
# Rows that are set aside come back after a second, two, four, up to this many; for ever.
LONGEST_ASIDE = 300


def run_relay(*, amqp_url: str, reactions: Reactions, stop: Flag) -> None:
    """Until `stop` is set. Whatever is down is waited for."""
    while not stop.is_set():
        try:
            with Publisher(amqp_url) as publisher:
                log.info("connected")
                _listen()
                _relay_until(stop, publisher, reactions)
        except (DatabaseError, AMQPError, KombuError, OSError) as error:
            log.warning("waiting", reason=str(error), kind=type(error).__name__)
            connection.close()
            stop.wait(RETRY_SECONDS)


def _relay_until(stop: Flag, publisher: Publisher, reactions: Reactions) -> None:
    looked = 0.0
    while not stop.is_set():
        if time.monotonic() - looked >= POLL_SECONDS:
            # So few at a time that new rows are not held up by what may fail once more.
            put_back_due(limit=BATCH)
            looked = time.monotonic()
        if not relay_batch(publisher, reactions):
            publisher.keep_alive()
            _wait_for_notify()


def relay_batch(publisher: Publisher, reactions: Reactions, limit: int = BATCH) -> int:
    """Takes up to `limit` waiting events, oldest first; how many they were.

    Afterwards each is published or set aside. Rows that another relay holds are passed over.
    Raises what says that the broker or the database is away; nothing is marked then.
    """
    started = time.perf_counter()
    with transaction.atomic():
        rows = list(
            OutboxEvent.objects.select_for_update(skip_locked=True)
            .filter(published_at=None, set_aside_until=None)
            .order_by("id")[:limit]
        )
        failures = _publish(publisher, reactions, rows)
        published = [row for row in rows if row.id not in failures]
        OutboxEvent.objects.filter(id__in=[row.id for row in published]).update(
            published_at=timezone.now()
        )
        _set_aside([row for row in rows if row.id in failures], failures)
    ms = round((time.perf_counter() - started) * 1000, 1)
    for row in published:
        log.info(
            "published",
            event_id=str(row.id),
            type=row.type,
            request_id=row.body.get("request_id"),
            batch=len(rows),
            ms=ms,
        )
    return len(rows)


def _publish(
    publisher: Publisher, reactions: Reactions, rows: Sequence[OutboxEvent]
) -> dict[UUID, str]:
    """Sends the rows' messages; which rows could not be published, and why."""
    try:
        unreadable = {}
        for row in rows:
            try:
                event = parse_event(json.dumps(row.body))
                tasks = list(reactions(event))
            except Exception as error:  # noqa: BLE001 # whatever it is, it is this row's alone
                unreadable[row.id] = f"{type(error).__name__}: {error}"
                continue
            publisher.publish(event)
            for task in tasks:
                publisher.send(task, event)
        return unreadable | publisher.confirm()
    except ChannelError as error:
        # Over one message the broker ends the channel, and does not say over which.
        publisher.reopen()
        if len(rows) == 1:
            return {rows[0].id: str(error)}
        half = len(rows) // 2
        return _publish(publisher, reactions, rows[:half]) | _publish(
            publisher, reactions, rows[half:]
        )


def _set_aside(rows: Sequence[OutboxEvent], failures: dict[UUID, str]) -> None:
    for row in rows:
        seconds = min(2**row.attempts, LONGEST_ASIDE) * random.uniform(0.5, 1)  # noqa: S311
        row.set_aside_until = timezone.now() + timedelta(seconds=seconds)
        row.attempts += 1
        row.error = failures[row.id]
        log.warning(
            "set_aside",
            event_id=str(row.id),
            type=row.type,
            attempts=row.attempts,
            reason=row.error,
        )
    OutboxEvent.objects.bulk_update(rows, ["set_aside_until", "attempts", "error"])


def _listen() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def _wait_for_notify() -> None:
    for _ in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
        pass
