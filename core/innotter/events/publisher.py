"""Publishing with confirms: many messages on the way at once, and none believed lost or sent."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from celery.canvas import Signature
from kombu import Connection, Exchange, Producer

from innotter_contracts.events import EXCHANGE, Event

# Seconds that the broker may take to confirm a batch.
CONFIRM_TIMEOUT = 30


class PublishError(Exception):
    """The broker refused a message or knew no queue for it; the batch has to be sent again."""


class Publisher:
    """A channel in confirm mode. `publish` and `send` only write; `confirm` waits for them all."""

    def __init__(self, amqp_url: str) -> None:
        self._connection = Connection(
            amqp_url, connect_timeout=5, heartbeat=30, transport_options={"confirm_publish": False}
        )

    def __enter__(self) -> Self:
        # py-amqp's channel, whose confirms kombu's interface does not know.
        channel: Any = self._connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        self._producer = Producer(channel, auto_declare=False)
        self._exchange = Exchange(EXCHANGE, type="topic", no_declare=True)
        self._sent = 0
        # Delivery tags on the way; the broker counts them from 1 as we do.
        self._unconfirmed: set[int] = set()
        self._failure: str | None = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.release()

    def publish(self, event: Event) -> None:
        """The event itself, persistent, to the exchange that readers bind their queues to."""
        self._producer.publish(
            event.model_dump_json().encode(),
            exchange=self._exchange,
            routing_key=event.type,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,  # persistent
            mandatory=True,
            message_id=str(event.id),
            correlation_id=event.request_id or "",
        )
        self._count()

    def send(self, task: Signature[Any], event: Event) -> None:
        """A task that follows from the event, to the Celery queue that it is routed to."""
        task.apply_async(
            producer=self._producer,
            # The same event sent again is the same task again.
            task_id=f"{event.id}.{task.task}",
            headers={"request_id": event.request_id or ""},
            mandatory=True,
            retry=False,
        )
        self._count()

    def confirm(self) -> None:
        """Returns when the broker has taken charge of all that was sent. Raises PublishError."""
        while self._unconfirmed and self._failure is None:
            self._connection.drain_events(timeout=CONFIRM_TIMEOUT)
        if self._failure is not None:
            raise PublishError(self._failure)

    def keep_alive(self) -> None:
        """Called about once a second while idle: answers the broker's heartbeats."""
        self._connection.heartbeat_check()
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.001)

    def _count(self) -> None:
        self._sent += 1
        self._unconfirmed.add(self._sent)

    def _on_ack(self, tag: int, multiple: bool) -> None:
        acked = {sent for sent in self._unconfirmed if sent <= tag} if multiple else {tag}
        self._unconfirmed -= acked

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._failure = f"the broker refused message {tag}"

    def _on_return(
        self, error: Exception, exchange: str, routing_key: str, message: object
    ) -> None:
        self._failure = f"no queue for {exchange!r} {routing_key!r}"
