"""Lists dead letters and replays them to the queues that they came from.

AMQP knows no looking: a message is taken and given back, which its queue counts. That is why the
queues of the dead have a delivery limit that nobody reaches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from kombu import Connection, Message, Producer, Queue

from innotter_contracts.events import DEAD


class DeadLetterNotFound(Exception):
    """No dead letter of that queue has the id; somebody else may have replayed it."""


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


def dead_letters(amqp_url: str, queue: str, *, limit: int = 100) -> list[DeadLetter]:
    """Those of the queue, oldest first. They stay where they are."""
    with _channel(amqp_url) as channel:
        return [DeadLetter.of(message) for message in _take(channel, queue, limit)]


def count_dead_letters(amqp_url: str, queue: str) -> int:
    with _channel(amqp_url) as channel:
        return _count(channel, queue)


def replay(amqp_url: str, queue: str, *, message_id: str | None = None) -> int:
    """Sends the queue's dead letters to it again, or the one of that id; how many.

    Each is taken from the dead only after the broker has confirmed it in the queue: one whose
    replay is cut off is in both, and every reader may read twice. Those that die while this runs
    are left to the next replay. Raises DeadLetterNotFound.
    """
    done = 0
    with _channel(amqp_url) as channel:
        producer = Producer(channel, auto_declare=False)
        for message in _take(channel, queue):
            if message_id is None or DeadLetter.of(message).id == message_id:
                _send(producer, queue, message)
                message.ack()
                done += 1
    if message_id is not None and not done:
        raise DeadLetterNotFound(message_id)
    return done


@contextmanager
def _channel(amqp_url: str) -> Iterator[Any]:
    """What was taken there and not acknowledged is given back at its end."""
    options = {"confirm_publish": True}
    with Connection(amqp_url, connect_timeout=5, transport_options=options) as connection:
        connection.ensure_connection(max_retries=1)
        yield connection.default_channel


def _count(channel: Any, queue: str) -> int:
    declared: Any = Queue(queue + DEAD, channel=channel).queue_declare(passive=True)
    return int(declared.message_count)


def _take(channel: Any, queue: str, limit: int | None = None) -> Iterator[Message]:
    count = _count(channel, queue)
    dead = Queue(queue + DEAD, channel=channel)
    for _ in range(count if limit is None else min(count, limit)):
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
