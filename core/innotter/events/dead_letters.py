"""Lists dead letters, replays them to the queues that they came from, and throws them away.

AMQP knows no looking: a message is taken and given back, which its queue counts. That is why the
queues of the dead have a delivery limit that nobody reaches.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from amqp.exceptions import AMQPError, ChannelError
from kombu import Connection, Message, Producer, Queue
from kombu.exceptions import KombuError

from innotter.common.errors import NotFound, Unavailable
from innotter.common.text import visible_line
from innotter.events.models import LONGEST_REASON, DiscardedLetter
from innotter_contracts.events import DEAD

# Seconds for a connection, and for each answer.
PATIENCE = 5


class DeadLetterNotFound(NotFound):
    """No dead letter of that queue has the id; somebody else may have handled it."""


class BrokerUnavailable(Unavailable):
    code = "broker_unavailable"
    detail = "RabbitMQ does not answer."


@dataclass(frozen=True)
class DeadLetter:
    """A message, and what its last way to death was."""

    # Of the event or of the task; the same one may be there twice.
    id: str
    type: str
    # The error of a task that failed; else `rejected`, or `delivery_limit`: its reader died of it
    # again and again.
    reason: str
    # How often it has died so, and when for the first time.
    count: int
    since: datetime | None
    body: str

    @classmethod
    def of(cls, message: Message) -> Self:
        headers: dict[str, Any] = message.headers or {}
        death: dict[str, Any] = (headers.get("x-death") or [{}])[0]
        time = death.get("time")
        since = time.replace(tzinfo=UTC) if time else None
        died_at = headers.get("died_at")
        body: Any = message.body
        return cls(
            id=str(headers.get("id") or message.properties.get("message_id") or ""),
            type=str(headers.get("task") or (death.get("routing-keys") or [""])[0]),
            reason=str(headers.get("reason") or death.get("reason", "")),
            count=int(headers.get("deaths") or death.get("count", 0)),
            since=datetime.fromisoformat(died_at) if died_at else since,
            body=body if isinstance(body, str) else bytes(body).decode(errors="replace"),
        )


def dead_letters(amqp_url: str, queue: str, *, limit: int = 100) -> tuple[int, list[DeadLetter]]:
    """How many the queue has, and the oldest of them. They stay where they are. Raises
    BrokerUnavailable."""
    with _channel(amqp_url) as channel:
        taken = list(_take(channel, queue, limit))
        return len(taken) + _count(channel, queue), [DeadLetter.of(message) for message in taken]


def replay(amqp_url: str, queue: str, *, message_id: str | None = None) -> int:
    """Sends the queue's dead letters to it again, or the one of that id; how many.

    Each is taken from the dead only after the broker has confirmed it in the queue: one whose
    replay is cut off is in both, and every reader may read twice. Those that die while this runs
    are left to the next replay. Raises DeadLetterNotFound, BrokerUnavailable.
    """
    with _channel(amqp_url) as channel:
        producer = Producer(channel, auto_declare=False)
        return _handle(channel, queue, message_id, lambda each: _send(producer, queue, each))


def discard(
    amqp_url: str, queue: str, *, reason: str, by: UUID | None, message_id: str | None = None
) -> int:
    """Throws the queue's dead letters away, or the one of that id; how many. `by`: the id of an
    admin, or None for the operator.

    Each is a row in the log of them before it is gone: one whose end is cut off is in both.
    Raises Invalid for the reason, DeadLetterNotFound, BrokerUnavailable.
    """
    reason = visible_line("reason", reason, LONGEST_REASON)

    def keep(message: Message) -> None:
        letter = DeadLetter.of(message)
        DiscardedLetter.objects.create(
            queue=queue,
            letter_id=_storable(letter.id),
            type=_storable(letter.type),
            died_of=_storable(letter.reason),
            reason=reason,
            discarded_by=by,
        )

    with _channel(amqp_url) as channel:
        return _handle(channel, queue, message_id, keep)


@contextmanager
def _channel(amqp_url: str) -> Iterator[Any]:
    """What was taken there and not acknowledged is given back at its end: at once, and not when
    the server notices that we have left, so that the next call finds it."""
    options = {"confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE}
    try:
        with Connection(
            amqp_url, connect_timeout=PATIENCE, transport_options=options
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            channel: Any = connection.default_channel
            try:
                yield channel
            finally:
                if channel.is_open:
                    channel.basic_recover(requeue=True)
    except ChannelError as error:
        raise BrokerUnavailable(f"RabbitMQ refuses: {error}") from None
    except (AMQPError, KombuError, OSError) as error:
        raise BrokerUnavailable(f"RabbitMQ does not answer: {error}") from None


def _handle(
    channel: Any, queue: str, message_id: str | None, handle: Callable[[Message], None]
) -> int:
    """Each of the dead letters, or the one of that id, is gone when it is handled."""
    done = 0
    for message in _take(channel, queue):
        if message_id is None or DeadLetter.of(message).id == message_id:
            handle(message)
            message.ack()
            done += 1
    if message_id is not None and not done:
        raise DeadLetterNotFound(f"{queue} has no dead letter {message_id}.")
    return done


def _count(channel: Any, queue: str) -> int:
    declared: Any = Queue(queue + DEAD, channel=channel).queue_declare(passive=True)
    return int(declared.message_count)


def _take(channel: Any, queue: str, limit: int | None = None) -> Iterator[Message]:
    """Those that are there now. To take is a command to a quorum queue, and comes after what was
    given back before it; a count alone may not know of that yet."""
    dead = Queue(queue + DEAD, channel=channel)
    first = dead.get()
    if first is None:
        return
    others = _count(channel, queue)
    yield first
    for _ in range(others if limit is None else min(others, limit - 1)):
        message = dead.get()
        if message is None:
            return
        yield message


def _send(producer: Producer, queue: str, message: Message) -> None:
    """Returns when the broker has confirmed it, and raises when it has not."""
    properties: dict[str, Any] = {
        name: value for name, value in message.properties.items() if name != "application_headers"
    }
    # It starts anew. How often it has died is in x-death or `deaths`.
    over = ("x-delivery-count", "reason", "died_at")
    headers = {k: v for k, v in (message.headers or {}).items() if k not in over}
    # By the exchange without a name every queue can be reached.
    producer.publish(
        message.body, exchange="", routing_key=queue, headers=headers, mandatory=True, **properties
    )


def _storable(text: str) -> str:
    """A client may have put a NUL there, which PostgreSQL doesn't take."""
    return text.replace("\0", "\ufffd")
