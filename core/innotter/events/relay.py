"""Carries what the outbox owes to RabbitMQ. Any number of relays may run at once.

A row is marked only after the broker has confirmed its messages: a relay that dies in
between leaves it waiting, and it goes out again. Readers know an event by its id.
"""

import json
import time
from collections.abc import Callable, Iterable
from threading import Event as Flag
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from celery.canvas import Signature
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from kombu.exceptions import KombuError

from innotter.events.models import OutboxEvent
from innotter.events.publisher import Publisher, PublishError
from innotter.events.services import CHANNEL
from innotter_contracts.events import Event, parse_event

log = structlog.get_logger("innotter.relay")

type Reactions = Callable[[Event], Iterable[Signature[Any]]]

BATCH = 500
# NOTIFY makes the relay prompt; this makes it certain.
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0


def run_relay(*, amqp_url: str, reactions: Reactions, stop: Flag) -> None:
    """Until `stop` is set. Whatever is down is waited for."""
    while not stop.is_set():
        try:
            with Publisher(amqp_url) as publisher:
                log.info("connected")
                _listen()
                while not stop.is_set():
                    if not relay_batch(publisher, reactions):
                        publisher.keep_alive()
                        _wait_for_notify()
        except (DatabaseError, PublishError, AMQPError, KombuError, OSError) as error:
            log.warning("waiting", reason=str(error), kind=type(error).__name__)
            connection.close()
            stop.wait(RETRY_SECONDS)


def relay_batch(publisher: Publisher, reactions: Reactions, limit: int = BATCH) -> int:
    """Sends up to `limit` waiting events, oldest first; how many they were.

    Rows that another relay holds are passed over. Raises what the broker or the database
    raise; nothing is marked then.
    """
    started = time.perf_counter()
    with transaction.atomic():
        rows = list(
            OutboxEvent.objects.select_for_update(skip_locked=True)
            .filter(published_at=None)
            .order_by("id")[:limit]
        )
        for row in rows:
            event = parse_event(json.dumps(row.body))
            publisher.publish(event)
            for task in reactions(event):
                publisher.send(task, event)
        publisher.confirm()
        OutboxEvent.objects.filter(id__in=[row.id for row in rows]).update(
            published_at=timezone.now()
        )
    ms = round((time.perf_counter() - started) * 1000, 1)
    for row in rows:
        log.info(
            "published",
            event_id=str(row.id),
            type=row.type,
            request_id=row.body["request_id"],
            batch=len(rows),
            ms=ms,
        )
    return len(rows)


def _listen() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")


def _wait_for_notify() -> None:
    for _ in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
        pass
