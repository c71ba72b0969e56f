"""From the outbox to RabbitMQ, the real one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from celery import Celery
from django.db import connection, transaction
from kombu import Connection, Exchange, Queue

from innotter.conftest import at_once
from innotter.events import relay
from innotter.events.models import OutboxEvent
from innotter.events.publisher import Publisher
from innotter.events.relay import relay_batch, run_relay
from innotter.events.services import record
from innotter.events.tests.test_outbox import an_event
from innotter_contracts.events import MAIL_QUEUE, STATS_QUEUE, Event, PostLiked, parse_event

pytestmark = pytest.mark.django_db(transaction=True)

app = Celery(set_as_current=False)


@app.task(name="innotter.mail.greet")
def greet(name: str) -> None:
    """Only its message is looked at."""


def celery_queue(name: str) -> Queue:
    exchange = Exchange("celery", type="topic", no_declare=True)
    return Queue(name, exchange, routing_key=name, no_declare=True)


def nothing(_: Event) -> list[Any]:
    return []


def owed(count: int = 1) -> list[PostLiked]:
    """Events that the world has to be told of."""
    events = [an_event() for _ in range(count)]
    with transaction.atomic():
        for event in events:
            record(event)
    return events


def arrived(broker: Connection, queue: str) -> list[Any]:
    """The messages that wait in a queue."""
    waiting = Queue(queue, channel=broker.default_channel)
    return list(iter(partial(waiting.get, no_ack=True), None))


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waiting() -> int:
    return OutboxEvent.objects.filter(published_at=None).count()


def test_events_leave_in_their_order_and_are_marked(amqp_url: str, broker: Connection) -> None:
    events = owed(3)
    with Publisher(amqp_url) as publisher:
        assert relay_batch(publisher, nothing) == 3
        assert relay_batch(publisher, nothing) == 0
    messages = arrived(broker, STATS_QUEUE)
    assert [parse_event(message.body) for message in messages] == events
    assert [message.properties["message_id"] for message in messages] == [str(e.id) for e in events]
    assert {message.properties["delivery_mode"] for message in messages} == {2}
    assert waiting() == 0


def test_what_follows_from_an_event_goes_to_its_celery_queue(
    amqp_url: str, broker: Connection
) -> None:
    [event] = owed()
    task = greet.s(name="Bob").set(queue=celery_queue(MAIL_QUEUE))
    with Publisher(amqp_url) as publisher:
        relay_batch(publisher, lambda _: [task])
    [message] = arrived(broker, MAIL_QUEUE)
    assert message.headers["task"] == "innotter.mail.greet"
    # The same event sent twice is the same task twice, and says so.
    assert message.headers["id"] == f"{event.id}.innotter.mail.greet"
    assert message.payload[1] == {"name": "Bob"}


def test_a_relay_that_dies_before_the_confirm_leaves_its_events_owed(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed(2)
    with Publisher(amqp_url) as publisher:
        monkeypatch.setattr(publisher, "confirm", death)
        with pytest.raises(SystemExit):
            relay_batch(publisher, nothing)
    assert waiting() == 2


def death() -> None:
    raise SystemExit


def test_relays_at_once_share_the_work(amqp_url: str, broker: Connection) -> None:
    events = owed(60)

    def work() -> int:
        with Publisher(amqp_url) as publisher:
            done = 0
            while (sent := relay_batch(publisher, nothing, limit=5)) or waiting():
                done += sent
            return done

    assert sum(at_once(work, work, work)) == 60
    ids = [message.properties["message_id"] for message in arrived(broker, STATS_QUEUE)]
    assert sorted(ids) == sorted(str(event.id) for event in events)


@contextmanager
def running(amqp_url: str) -> Iterator[None]:
    """A relay at work in a thread of its own."""
    stop = threading.Event()

    def run() -> None:
        try:
            run_relay(amqp_url=amqp_url, reactions=nothing, stop=stop)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_a_commit_wakes_the_relay(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the poll to play no part.
    monkeypatch.setattr(relay, "POLL_SECONDS", 20)
    owed()
    with running(amqp_url):
        until(lambda: waiting() == 0)
        began = time.monotonic()
        owed()
        until(lambda: waiting() == 0)
        assert time.monotonic() - began < 10
        monkeypatch.undo()
        owed()


def test_an_event_is_found_without_a_wake_up_call(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.1)
    with running(amqp_url):
        event = an_event()
        OutboxEvent.objects.create(
            id=event.id,
            type=event.type,
            body=event.model_dump(mode="json"),
            occurred_at=event.occurred_at,
        )
        until(lambda: waiting() == 0)


def test_a_broker_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    owed()
    with running("amqp://guest:guest@127.0.0.1:1//"):
        pass
    assert waiting() == 1
