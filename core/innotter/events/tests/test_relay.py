"""From the outbox to RabbitMQ, the real one."""

import socket
import subprocess
import sys
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

from innotter.common import maintenance
from innotter.conftest import at_once
from innotter.events import relay
from innotter.events.models import OutboxEvent
from innotter.events.publisher import Publisher
from innotter.events.relay import Reactions, relay_batch, run_relay
from innotter.events.services import CHANNEL, record
from innotter.events.tests.test_outbox import an_event
from innotter_contracts.events import MAIL_QUEUE, STATS_QUEUE, Event, PostLiked, parse_event

pytestmark = pytest.mark.django_db(transaction=True)

app = Celery(set_as_current=False)


@app.task(name="innotter.mail.greet", shared=False)
def greet(name: str) -> None:
    """Only its message is looked at."""


def celery_queue(name: str) -> Queue:
    exchange = Exchange("celery", type="topic", no_declare=True)
    return Queue(name, exchange, routing_key=name, no_declare=True)


def nothing(_: Event) -> list[Any]:
    return []


def owed(count: int = 1) -> list[PostLiked]:
    """Events that have to be published."""
    events = [an_event() for _ in range(count)]
    with transaction.atomic():
        for event in events:
            record(event)
    return events


def arrived(broker: Connection, queue: str) -> list[Any]:
    """The messages that wait in a queue."""
    waiting = Queue(queue, channel=broker.default_channel)
    return list(iter(partial(waiting.get, no_ack=True), None))


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
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
def running(amqp_url: str, reactions: Reactions = nothing) -> Iterator[None]:
    """A relay at work in a thread of its own."""
    stop = threading.Event()

    def run() -> None:
        try:
            run_relay(amqp_url=amqp_url, reactions=reactions, stop=stop)
        finally:
            connection.close()

    # As a daemon, one that hangs fails its test and no more.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wake()
        thread.join(timeout=30)
        assert not thread.is_alive()


def wake() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def end_other_connections() -> int:
    """By PostgreSQL, as when it is restarted; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.rowcount)


def test_a_commit_wakes_the_relay(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than `until` waits: the poll plays no part.
    monkeypatch.setattr(relay, "POLL_SECONDS", 600)
    owed()
    with running(amqp_url):
        until(lambda: waiting() == 0)
        owed()
        until(lambda: waiting() == 0)


def test_an_event_is_found_without_a_notification(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.1)
    with running(amqp_url):
        # The first may be found as the relay starts, the second by polling alone.
        for event in (an_event(), an_event()):
            OutboxEvent.objects.create(
                id=event.id,
                type=event.type,
                body=event.model_dump(mode="json"),
                occurred_at=event.occurred_at,
            )
            until(lambda: waiting() == 0)


def test_the_relay_listens_anew_when_postgresql_has_closed_its_connection(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_SECONDS", 600)
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    owed()
    with running(amqp_url):
        until(lambda: waiting() == 0)
        for _ in range(2):
            until(lambda: end_other_connections() == 1)
            # The first may be found as the relay reconnects, the second by its LISTEN alone.
            for _ in range(2):
                owed()
                until(lambda: waiting() == 0)


def test_a_connection_that_is_lost_in_the_middle_of_a_batch_loses_no_event(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    events, cuts = owed(3), iter([True])

    def cut_once(_: Event) -> list[Any]:
        if next(cuts, False):
            other = connection.copy()
            other.cursor().execute(
                "SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid]
            )
            other.close()
        return []

    with running(amqp_url, cut_once):
        until(lambda: waiting() == 0)
    assert next(cuts, None) is None
    ids = {message.properties["message_id"] for message in arrived(broker, STATS_QUEUE)}
    assert ids == {str(event.id) for event in events}


def test_a_broker_that_is_away_is_waited_for(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.05)
    credentials, _, rest = amqp_url.rpartition("@")
    server, _, vhost = rest.partition("/")
    owed()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(30)
        port = nobody.getsockname()[1]
        with running(f"{credentials}@127.0.0.1:{port}/{vhost}"):
            for _ in range(3):
                nobody.accept()[0].close()
            nobody.close()
            assert waiting() == 1
            command = [sys.executable, "-m", "dev.tcp_proxy", str(port), server]
            with subprocess.Popen(command) as proxy:
                try:
                    until(lambda: waiting() == 0)
                finally:
                    proxy.kill()


def test_another_node_is_asked_where_one_is_away(amqp_url: str, broker: Connection) -> None:
    owed()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"amqp://guest:guest@127.0.0.1:{nobody.getsockname()[1]}/"
        with running(f"{away};{amqp_url}"):
            until(lambda: waiting() == 0)


def test_during_maintenance_nothing_is_published_and_nothing_is_marked(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed(1)
    maintenance.begin("A new version comes.")
    stop = threading.Event()
    monkeypatch.setattr(relay, "_is_notified", stop.set)
    run_relay(amqp_url=amqp_url, reactions=nothing, stop=stop)
    assert (waiting(), arrived(broker, STATS_QUEUE)) == (1, [])
    maintenance.end()
    stop.clear()
    run_relay(amqp_url=amqp_url, reactions=nothing, stop=stop)
    assert (waiting(), len(arrived(broker, STATS_QUEUE))) == (0, 1)
