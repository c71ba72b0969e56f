"""The relay's metrics of the outbox, of maintenance, and of the broker's queues.

The outbox and the queues are looked at when somebody asks for the figures, so that they are right
though the relay itself is stuck. Of a part that is away there are no figures; of the others
there are, in less than the ten seconds that Prometheus waits.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from amqp.exceptions import AMQPError
from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.models import Count, Min, Q
from django.utils import timezone
from kombu import Connection, Queue
from kombu.exceptions import KombuError
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from innotter.common.models import Maintenance
from innotter.events.models import OutboxEvent
from innotter_contracts.events import DEAD, DELAYS, QUEUES

PUBLISHED = Counter("innotter_outbox_published", "Events confirmed by the broker.")
DEFERRED = Counter("innotter_outbox_failed", "Attempts after which an event was deferred.")

# Seconds that the broker may take to answer, at each step: one that was stopped still accepts.
PATIENCE = 2


class OutboxFigures(Collector):
    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is looked at when this is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            # In a thread of its own, and so is its connection.
            with closing(connection):
                owed = OutboxEvent.objects.filter(published_at=None).aggregate(
                    waiting=Count("id", filter=Q(next_attempt_at=None)),
                    deferred=Count("id", filter=Q(next_attempt_at__isnull=False)),
                    oldest=Min("occurred_at"),
                )
                is_read_only = Maintenance.objects.exists()
        except DatabaseFailure:
            return
        yield GaugeMetricFamily(
            "innotter_maintenance", "1 while `manage.py maintenance` is on.", is_read_only
        )
        oldest = owed["oldest"]
        age = (timezone.now() - oldest).total_seconds() if oldest else 0
        yield GaugeMetricFamily(
            "innotter_outbox_waiting", "Events that wait for the relay.", owed["waiting"]
        )
        yield GaugeMetricFamily(
            "innotter_outbox_deferred",
            "Events whose publishing failed and is tried again later.",
            owed["deferred"],
        )
        yield GaugeMetricFamily(
            "innotter_outbox_oldest_seconds",
            "The age of the oldest event that is not published, deferred or not.",
            max(age, 0),
        )


class QueueFigures(Collector):
    """All that AMQP offers; RabbitMQ's own plugin for Prometheus has the rest."""

    def __init__(self, amqp_url: str) -> None:
        self._amqp_url = amqp_url

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            queues = list(self._queues())
        except (AMQPError, KombuError, OSError):
            queues = []
        yield GaugeMetricFamily("innotter_broker_up", "1 while RabbitMQ answers.", bool(queues))
        yield from queues

    def _queues(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily(
            "innotter_queue_messages",
            "Messages in a queue that no reader has been given.",
            labels=["queue"],
        )
        readers = GaugeMetricFamily(
            "innotter_queue_consumers", "Programs that read a queue.", labels=["queue"]
        )
        bounds = {"read_timeout": PATIENCE, "write_timeout": PATIENCE}
        with Connection(
            self._amqp_url, connect_timeout=PATIENCE, transport_options=bounds
        ) as broker:
            for queue in (*(name + end for name in QUEUES for end in ("", DEAD)), *DELAYS):
                at: Any = Queue(queue, channel=broker.default_channel)
                found = at.queue_declare(passive=True)
                ready.add_metric([queue], found.message_count)
                readers.add_metric([queue], found.consumer_count)
        yield ready
        yield readers
