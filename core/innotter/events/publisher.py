"""Publishing with confirms: many messages on the way at once, and none believed lost or sent."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from amqp import Message
from celery.canvas import Signature
from kombu import Connection, Exchange, Producer

from innotter_contracts.events import EXCHANGE, Event

# Seconds that the broker may take to confirm a batch.
CONFIRM_TIMEOUT = 30


class Publisher:
    """A channel in confirm mode. `publish` and `send` only write; `confirm` waits for them all."""

    def __init__(self, amqp_url: str) -> None:
        self._connection = Connection(
            amqp_url, connect_timeout=5, heartbeat=30, transport_options={"confirm_publish": False}
        )

    def __enter__(self) -> Self:
        self.reopen()
        return self

    def reopen(self) -> None:
        """A new channel, with nothing on its way. Needed after a ChannelError."""
        # py-amqp's channel, whose confirms kombu's interface does not know.
        channel: Any = self._connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        self._producer = Producer(channel, auto_declare=False)
        self._exchange = Exchange(EXCHANGE, type="topic", no_declare=True)
        self._sent = 0
        # The events of the messages on the way, by delivery tag: the broker counts them from 1,
        # as we do.
        self._unconfirmed: dict[int, UUID] = {}
        self._failures: dict[UUID, str] = {}

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
        self._count(event)

    def send(self, task: Signature[Any], event: Event) -> None:
        """A task that follows from the event, to the Celery queue that it is routed to."""
        task.apply_async(
            producer=self._producer,
            # The same event sent again is the same task again.
            task_id=f"{event.id}.{task.task}",
            headers={"request_id": event.request_id or ""},
            message_id=str(event.id),
            mandatory=True,
            retry=False,
        )
        self._count(event)

    def confirm(self) -> dict[UUID, str]:
        """Returns when the broker has answered for all that was sent: it has taken charge of it,
        but for these events, each with the reason why not."""
        while self._unconfirmed:
            self._connection.drain_events(timeout=CONFIRM_TIMEOUT)
        failures, self._failures = self._failures, {}
        return failures

    def keep_alive(self) -> None:
        """Called about once a second while idle: answers the broker's heartbeats."""
        self._connection.heartbeat_check()
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.001)

    def _count(self, event: Event) -> None:
        self._sent += 1
        self._unconfirmed[self._sent] = event.id

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._answered(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for event_id in self._answered(tag, multiple):
            self._failures[event_id] = "the broker refused it"

    def _on_return(
        self, error: Exception, exchange: str, routing_key: str, message: Message
    ) -> None:
        """The broker confirms what it returns, a moment later."""
        self._failures[UUID(message.properties["message_id"])] = (
            f"no queue for {routing_key!r} at {exchange!r}"
        )

    def _answered(self, tag: int, multiple: bool) -> list[UUID]:
        tags = [sent for sent in self._unconfirmed if sent <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(sent) for sent in tags]
