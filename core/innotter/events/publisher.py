"""Publishing with confirms: many messages on the way at once, and the outcome of each is known."""

import json
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID

from amqp import Message
from amqp.exceptions import FrameSyntaxError
from celery.canvas import Signature
from kombu import Connection

from innotter_contracts.events import EXCHANGE, Event

# Seconds that the broker may take to confirm a batch, or to read what is written.
PATIENCE = 30
# TCP_CORK, Linux only: a batch then wakes the broker some ten times and
# not some hundred.
TCP_CORK: int | None = getattr(socket, "TCP_CORK", None)


class Unencodable(ValueError):
    """AMQP has no form for a message; nothing of it was sent."""


class Outgoing(NamedTuple):
    """A message that says by its `message_id` which event it belongs to, and where it goes."""

    message: Message
    exchange: str
    routing_key: str


def event_message(event: Event, body: str) -> Outgoing:
    """The event, whose JSON is `body`, to the exchange that readers bind their queues to."""
    message = _message(event, body, correlation_id=event.request_id or "")
    return Outgoing(message, EXCHANGE, event.type)


def task_message(task: Signature[Any], event: Event) -> Outgoing:
    """A task that follows from the event, to the Celery queue that it is routed to.

    The message is Celery's; to have Celery send it, too, would take three times as long. Raises
    TypeError or ValueError where JSON has no form for an argument, and what Celery raises over a
    queue that it does not know.
    """
    celery: Any = task.app.amqp
    # The same event sent again is the same task again.
    task_id = f"{event.id}.{task.task}"
    # What a person may read of the arguments stands in the worker's log.
    unread = {"argsrepr": "", "kwargsrepr": ""}
    message = celery.create_task_message(
        task_id, task.task, task.args, task.kwargs, **{**task.options, **unread}
    )
    queue = celery.router.route(dict(task.options), task.task)["queue"]
    headers = {**message.headers, "request_id": event.request_id or ""}
    return Outgoing(
        _message(
            event, json.dumps(message.body), correlation_id=task_id, application_headers=headers
        ),
        queue.exchange.name,
        queue.routing_key,
    )


def _message(event: Event, body: str, **properties: Any) -> Message:
    return Message(
        body.encode(),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,  # persistent
        message_id=str(event.id),
        **properties,
    )


class Publisher:
    """A channel in confirm mode. `publish` only writes; `confirm` waits for all of it."""

    def __init__(self, amqp_url: str) -> None:
        self._connection = Connection(
            amqp_url,
            connect_timeout=5,
            heartbeat=30,
            transport_options={"confirm_publish": False, "write_timeout": PATIENCE},
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
        self._channel = channel
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

    def publish(self, outgoing: Outgoing) -> None:
        """Writes the message. Raises Unencodable, and what says that the broker is away."""
        if not self._unconfirmed:
            self._cork(True)
        message, exchange, routing_key = outgoing
        try:
            self._channel.basic_publish(message, exchange, routing_key, mandatory=True)
        except (FrameSyntaxError, struct.error) as error:
            raise Unencodable(f"{type(error).__name__}: {error}") from None
        self._sent += 1
        self._unconfirmed[self._sent] = UUID(message.properties["message_id"])

    def confirm(self) -> dict[UUID, str]:
        """Returns when the broker has answered for all that was sent: it has taken charge of it,
        but for these events, each with the reason why not."""
        self._cork(False)
        while self._unconfirmed:
            self._connection.drain_events(timeout=PATIENCE)
        failures, self._failures = self._failures, {}
        return failures

    def keep_alive(self) -> None:
        """Called about once a second while idle: answers the broker's heartbeats."""
        self._connection.heartbeat_check()
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.001)

    def _cork(self, on: bool) -> None:
        if TCP_CORK is not None:
            self._channel.connection.sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, on)

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
