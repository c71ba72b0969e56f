import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import kombu
import pytest

from dev.assertions import wait_until
from innotter_contracts.events import DELAYS, Event, Metric
from innotter_contracts.ids import new_id
from innotter_contracts.tests.samples import SAMPLES
from innotter_stats.consumer import Consumer, consume
from innotter_stats.metrics import EVENTS, serve
from innotter_stats.settings import Settings, load
from innotter_stats.store import Store, StoreUnavailable
from innotter_stats.tests.builders import (
    DAY,
    liked,
    new_uuid,
    page_created,
    posted,
    recounted,
)
from innotter_stats.tests.conftest import Broker
from innotter_stats.tests.dynamodb import Calls

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Page:
    """A page in the table, and what is known of it there."""

    def __init__(self, store: Store) -> None:
        self.id = new_id()
        self.uuid = new_uuid()
        self._store = store
        store.apply([page_created(self.id, self.uuid)])

    def likes(self) -> int:
        found = self._store.statistics(self.uuid, DAY, DAY)
        assert found is not None
        return found.totals["likes"]

    def posts(self) -> int:
        found = self._store.statistics(self.uuid, DAY, DAY)
        assert found is not None
        return found.totals["posts"]


@pytest.fixture
def page(store: Store) -> Page:
    return Page(store)


class Process:
    """`python -m innotter_stats.run consumer`, with its log."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "innotter_stats.run", "consumer"],
                env={**os.environ, "LOG_STYLE": "json", **env},
                stdout=out,
                stderr=subprocess.STDOUT,
                # A folder without a .env file.
                cwd=log.parent,
            )

    def lines(self, event: str) -> list[dict[str, Any]]:
        text = self._log.read_text()
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in lines if line["event"] == event]

    def wait_for(self, event: str) -> None:
        def logged() -> bool:
            assert self.popen.poll() is None, self._log.read_text()
            return bool(self.lines(event))

        wait_until(logged)

    def terminate(self) -> int:
        self.popen.terminate()
        return self.popen.wait(timeout=20)

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(timeout=20)


class Processes:
    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self.started: list[Process] = []

    def start(self, **env: str) -> Process:
        log = self._folder / f"consumer-{len(self.started)}.log"
        self.started.append(Process({**self._env, **env}, log))
        return self.started[-1]


@pytest.fixture
def processes(broker: Broker, table: str, tmp_path: Path) -> Iterator[Processes]:
    processes = Processes({"AMQP_URL": broker.url, "STATISTICS_TABLE": table}, tmp_path)
    yield processes
    for process in processes.started:
        process.kill()


@contextmanager
def consuming(broker: Broker, store: Store, **settings: Any) -> Iterator[Consumer]:
    """A consumer in a thread of this process."""
    consumer = Consumer(Settings(**{"amqp_url": broker.url, **settings}), store)
    with running(consumer):
        yield consumer


@contextmanager
def running(consumer: Consumer) -> Iterator[None]:
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield
    finally:
        consumer.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


# --- What comes is counted


def test_events_are_counted_and_gone_from_the_queue(
    broker: Broker, store: Store, page: Page, processes: Processes
) -> None:
    broker.publish(*(liked(page.id) for _ in range(50)))
    consumer = processes.start()
    wait_until(lambda: page.likes() == 50)
    assert consumer.terminate() == 0
    assert broker.waiting() == 0
    assert broker.dead() == []


def test_every_sample_of_the_contract_is_taken_in(broker: Broker, store: Store) -> None:
    broker.publish(*(path.read_bytes() for path in SAMPLES))
    applied: list[Event] = []

    class Watched(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            applied.extend(events)
            return set()

    with consuming(broker, Watched(None, ""), consumer_batch_wait=0):  # type: ignore[arg-type]
        wait_until(lambda: len(applied) == len(SAMPLES))
    assert broker.waiting() == 0
    assert broker.dead() == []


def test_one_post_can_be_followed_by_its_request_id(
    broker: Broker, page: Page, processes: Processes
) -> None:
    event = posted(page.id).model_copy(update={"request_id": "request-0001"})
    broker.publish(event, event)
    consumer = processes.start()
    wait_until(lambda: len(consumer.lines("event_counted")) == 2)
    line = consumer.lines("event_counted")[0]
    assert line["event_id"] == str(event.id)
    assert line["type"] == "post.created"
    assert line["request_id"] == "request-0001"
    assert page.posts() == 1


def test_several_consumers_share_the_work(broker: Broker, page: Page, processes: Processes) -> None:
    few = {"CONSUMER_BATCH_SIZE": "20", "CONSUMER_PREFETCH": "20", "CONSUMER_BATCH_WAIT": "0.05"}
    consumers = [processes.start(**few) for _ in range(2)]
    for consumer in consumers:
        consumer.wait_for("consuming")
    events = [liked(page.id) for _ in range(300)]
    broker.publish(*events, *events[:100])
    wait_until(lambda: sum(len(c.lines("event_counted")) for c in consumers) == 400)
    assert page.likes() == 300
    assert all(consumer.lines("event_counted") for consumer in consumers)


# --- What is no event


def test_what_is_no_event_is_kept_aside_and_the_rest_counted(
    broker: Broker, page: Page, processes: Processes
) -> None:
    poison = [b"no json, but a secret", b"\xff\xfe", b'{"type": "post.exploded"}']
    broker.publish(liked(page.id), *poison, liked(page.id), poison[0], liked(page.id))
    consumer = processes.start()
    wait_until(lambda: page.likes() == 3)
    assert consumer.terminate() == 0
    assert broker.waiting() == 0
    assert sorted(broker.dead()) == sorted([*poison, poison[0]])
    lines = consumer.lines("message_rejected")
    assert len(lines) == 4
    assert "secret" not in json.dumps(lines)


def newer(occurred_at: datetime) -> bytes:
    """An event as a later release may bring it."""
    event = json.loads(liked(new_id()).model_dump_json())
    moment = occurred_at.isoformat()
    return json.dumps({**event, "type": "post.reposted", "occurred_at": moment}).encode()


def test_an_event_of_a_newer_release_comes_again_until_that_release_is_there(
    broker: Broker, store: Store, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter_stats.consumer.LATER", DELAYS[0])
    deferred = EVENTS.labels("newer")._value.get
    before, reposted = deferred(), newer(datetime.now(UTC))
    broker.publish(liked(page.id), reposted, liked(page.id))
    with consuming(broker, store):
        # The second time it has been around.
        wait_until(lambda: page.likes() == 2 and deferred() == before + 2)
    wait_until(lambda: broker.waiting() == 1)
    assert broker.dead() == []
    assert broker.take() == [reposted]


def test_what_is_still_newer_after_a_day_is_a_dead_letter(
    broker: Broker, store: Store, page: Page
) -> None:
    old = newer(datetime.now(UTC) - timedelta(days=1))
    broker.publish(old, liked(page.id))
    with consuming(broker, store):
        wait_until(lambda: page.likes() == 1)
    assert broker.dead() == [old]


# --- Failures of the consumer


def test_a_consumer_killed_before_it_has_counted_loses_nothing(
    broker: Broker, page: Page, processes: Processes
) -> None:
    broker.publish(*(liked(page.id) for _ in range(20)))
    patient = processes.start(CONSUMER_BATCH_WAIT="10")
    wait_until(lambda: broker.waiting() == 0)
    patient.kill()
    assert page.likes() == 0
    processes.start()
    wait_until(lambda: page.likes() == 20)


def test_a_consumer_killed_over_and_over_counts_each_event_once(
    broker: Broker, store: Store, page: Page, processes: Processes
) -> None:
    events = [liked(page.id) for _ in range(600)]
    broker.publish(*events)
    for _ in range(4):
        consumer = processes.start(CONSUMER_BATCH_SIZE="3", CONSUMER_BATCH_WAIT="0")
        consumer.wait_for("batch_counted")
        consumer.kill()
    assert page.likes() < 600
    # Behind everything that was delivered and not acknowledged.
    last = Page(store)
    broker.publish(liked(last.id))
    survivor = processes.start()
    wait_until(lambda: last.likes() == 1 and page.likes() >= 600)
    assert survivor.terminate() == 0
    assert broker.waiting() == 0
    assert broker.dead() == []
    assert page.likes() == 600


class Crash(Exception):
    pass


def test_a_crash_between_counting_and_acknowledging_counts_once(
    broker: Broker, store: Store, page: Page, processes: Processes
) -> None:
    class CrashesAfterwards(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            store.apply(events)
            raise Crash

    broker.publish(*(liked(page.id) for _ in range(10)))
    # One batch with all of them, however slowly they come.
    crashing = Consumer(
        Settings(amqp_url=broker.url, consumer_batch_size=10, consumer_batch_wait=10),
        CrashesAfterwards(None, ""),  # type: ignore[arg-type]
    )
    with pytest.raises(Crash):
        crashing.run()
    assert page.likes() == 10
    consumer = processes.start()
    wait_until(lambda: len(consumer.lines("event_counted")) == 10)
    assert all(line["repeated"] for line in consumer.lines("event_counted"))
    assert page.likes() == 10


def test_told_to_stop_it_finishes_the_batch_that_it_has(
    broker: Broker, store: Store, page: Page
) -> None:
    counting, finish = threading.Event(), threading.Event()

    class Slow(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            counting.set()
            assert finish.wait(20)
            return store.apply(events)

    broker.publish(*(liked(page.id) for _ in range(5)))
    with consuming(broker, Slow(None, "")) as consumer:  # type: ignore[arg-type]
        assert counting.wait(20)
        consumer.stop()
        finish.set()
    assert page.likes() == 5
    assert broker.waiting() == 0


# --- Failures around it


def test_while_the_table_is_down_the_events_wait(broker: Broker, store: Store, page: Page) -> None:
    attempts: list[int] = []

    class DownAtFirst(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            attempts.append(1)
            if len(attempts) <= 3:
                raise StoreUnavailable("down")
            return store.apply(events)

    broker.publish(*(liked(page.id) for _ in range(10)))
    with consuming(broker, DownAtFirst(None, "")):  # type: ignore[arg-type]
        wait_until(lambda: len(attempts) >= 2)
        # More may come meanwhile.
        broker.publish(*(liked(page.id) for _ in range(10)))
        wait_until(lambda: page.likes() == 20)
    assert broker.waiting() == 0
    assert broker.dead() == []


def test_the_connection_lives_however_long_the_table_is_down(
    broker: Broker, store: Store, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter_stats.consumer.HEARTBEAT", 2)
    monkeypatch.setattr("innotter_stats.consumer.IDLE", 0.05)
    # The broker hangs up on who is silent for two to three heartbeats.
    up_again = time.monotonic() + 7
    connections: list[int] = []

    class Down(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            if time.monotonic() < up_again:
                raise StoreUnavailable("down")
            return store.apply(events)

    class Counted(Consumer):
        def _consume(self, connection: kombu.Connection) -> None:
            connections.append(1)
            super()._consume(connection)

    broker.publish(liked(page.id))
    consumer = Counted(Settings(amqp_url=broker.url), Down(None, ""))  # type: ignore[arg-type]
    with running(consumer):
        wait_until(lambda: page.likes() == 1)
    assert connections == [1]
    assert broker.waiting() == 0


def test_a_batch_is_bounded_by_its_work_and_heartbeats_between_the_steps(
    broker: Broker, dynamodb: "DynamoDBClient", table: str, store: Store
) -> None:
    """A recount of a year is dozens of calls to DynamoDB, and hundreds may wait."""
    pages = [Page(store) for _ in range(6)]
    year: dict[date, dict[Metric, int]] = {
        DAY - timedelta(days=n): {"likes": 1} for n in range(366)
    }
    broker.publish(
        *(recounted(page.id, page.uuid, 1, year) for page in pages),
        *(liked(pages[0].id, epoch=1) for _ in range(60)),
    )
    calls = Calls(dynamodb)
    batches: list[tuple[int, int]] = []
    heartbeats: list[int] = []

    class Watched(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            given, before = list(events), len(calls.names)
            repeated = super().apply(given, after_call)
            batches.append((len(given), len(calls.names) - before))
            return repeated

    class Beating(Consumer):
        def _keep_alive(self, connection: kombu.Connection) -> None:
            heartbeats.append(len(calls.names))
            super()._keep_alive(connection)

    size = 120
    config = Settings(amqp_url=broker.url, consumer_batch_size=size, consumer_batch_wait=1)
    with running(Beating(config, Watched(cast(Any, calls), table))):
        wait_until(lambda: broker.waiting() == 0 and sum(n for n, _ in batches) == 66)
    assert all(made <= size for _, made in batches)
    assert len(batches) >= 3
    # Nothing but a reading lies between two of them.
    assert max(later - earlier for earlier, later in pairwise(heartbeats)) <= 2
    assert pages[0].likes() == 366 + 60


def test_the_connection_lives_though_one_batch_takes_longer_than_heartbeats(
    broker: Broker, store: Store, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter_stats.consumer.HEARTBEAT", 2)
    connections: list[int] = []

    class Slow(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            # Many calls, each of them short. The broker hangs up after two to three heartbeats.
            begun = time.monotonic()
            while time.monotonic() < begun + 7:
                threading.Event().wait(0.05)
                after_call()
            return store.apply(events)

    class Counted(Consumer):
        def _consume(self, connection: kombu.Connection) -> None:
            connections.append(1)
            super()._consume(connection)

    broker.publish(liked(page.id))
    config = Settings(amqp_url=broker.url, consumer_batch_wait=0)
    with running(Counted(config, Slow(None, ""))):  # type: ignore[arg-type]
        wait_until(lambda: page.likes() == 1 and broker.waiting() == 0)
    assert connections == [1]
    assert broker.waiting() == 0


def test_it_can_be_stopped_while_the_table_is_down_and_loses_nothing(
    broker: Broker, page: Page, processes: Processes
) -> None:
    broker.publish(*(liked(page.id) for _ in range(10)))
    stuck = processes.start(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    stuck.wait_for("table_unavailable")
    assert stuck.terminate() == 0
    assert page.likes() == 0
    processes.start()
    wait_until(lambda: page.likes() == 10)


class TcpProxy:
    """The way to the broker or to the table, which can be closed and opened."""

    def __init__(self, url: str) -> None:
        to = urlsplit(url)
        self._to = (to.hostname, to.port)
        self._port = free_port()
        who = f"{to.username}:{to.password}@" if to.username else ""
        self.url = to._replace(netloc=f"{who}127.0.0.1:{self._port}").geturl()
        self._travelling: list[socket.socket] = []

    def open(self) -> None:
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                there = socket.create_connection(proxy._to)
                proxy._travelling += [self.request, there]
                back = threading.Thread(target=_copy, args=(there, self.request))
                back.start()
                _copy(self.request, there)
                back.join()
                there.close()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._serving = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._serving.start()

    def close(self) -> None:
        self._server.shutdown()
        for one in self._travelling:
            _shut(one)
        self._travelling.clear()
        self._server.server_close()
        self._serving.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(target)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def test_it_comes_back_when_the_broker_does(
    broker: Broker, page: Page, processes: Processes
) -> None:
    proxy = TcpProxy(broker.url)
    consumer = processes.start(AMQP_URL=proxy.url)
    consumer.wait_for("broker_unavailable")
    proxy.open()
    broker.publish(liked(page.id))
    wait_until(lambda: page.likes() == 1)
    proxy.close()
    broker.publish(liked(page.id))
    wait_until(lambda: len(consumer.lines("broker_unavailable")) >= 2)
    proxy.open()
    wait_until(lambda: page.likes() == 2)
    assert consumer.terminate() == 0
    proxy.close()


def test_another_node_is_asked_where_one_is_away(
    broker: Broker, page: Page, processes: Processes
) -> None:
    away = TcpProxy(broker.url)
    consumer = processes.start(AMQP_URL=f"{away.url},{broker.url}")
    broker.publish(liked(page.id))
    wait_until(lambda: page.likes() == 1)
    assert consumer.lines("broker_unavailable") == []


def test_while_dynamodb_is_away_everything_waits_and_nothing_is_redelivered(
    broker: Broker, page: Page, processes: Processes
) -> None:
    """So that no message comes nearer to its delivery limit, however long it takes."""
    proxy, port = TcpProxy(os.environ["AWS_ENDPOINT_URL"]), free_port()
    broker.publish(*(liked(page.id) for _ in range(10)))
    consumer = processes.start(AWS_ENDPOINT_URL=proxy.url, METRICS_PORT=str(port))
    wait_until(lambda: len(consumer.lines("table_unavailable")) >= 2)
    assert said(port, "/health/ready") == (503, {"status": "down", "down": ["table"]})
    # A new start would not help.
    assert said(port, "/health/live") == (200, {"status": "ok"})
    broker.publish(*(liked(page.id) for _ in range(10)))
    proxy.open()
    wait_until(lambda: page.likes() == 20)
    wait_until(lambda: said(port, "/health/ready") == (200, {"status": "ok"}))
    assert len(consumer.lines("consuming")) == 1
    assert not any(line["repeated"] for line in consumer.lines("event_counted"))
    assert consumer.terminate() == 0
    assert (broker.waiting(), broker.dead()) == (0, [])
    proxy.close()


# --- What it says of itself


def said(port: int, path: str) -> tuple[int, Any]:
    answer = httpx.get(f"http://127.0.0.1:{port}{path}")
    return answer.status_code, answer.json()


def test_it_counts_its_messages_by_what_became_of_them(
    broker: Broker, page: Page, processes: Processes
) -> None:
    port = free_port()
    like = liked(page.id)
    broker.publish(like, liked(page.id), b"nonsense")
    consumer = processes.start(METRICS_PORT=str(port))
    wait_until(lambda: len(consumer.lines("event_counted")) == 2)
    broker.publish(like)
    wait_until(lambda: len(consumer.lines("event_counted")) == 3)
    figures = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    for outcome, count in (("counted", 2), ("repeated", 1), ("rejected", 1)):
        assert f'innotter_stats_events_total{{outcome="{outcome}"}} {count}.0' in figures
    assert "innotter_stats_lag_seconds_count 3.0" in figures


def test_a_consumer_that_is_stuck_is_not_alive(broker: Broker, store: Store, page: Page) -> None:
    port = free_port()
    counting, finish = threading.Event(), threading.Event()

    class Stuck(Store):
        def apply(
            self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
        ) -> set[UUID]:
            counting.set()
            assert finish.wait(20)
            return store.apply(events)

    broker.publish(liked(page.id))
    with consuming(broker, Stuck(None, "")) as consumer:  # type: ignore[arg-type]
        serve(Settings(metrics_port=port), consumer.pulse)
        assert counting.wait(20)
        assert said(port, "/health/live")[0] == 200
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("innotter_stats.metrics.STUCK_AFTER", 0)
            assert said(port, "/health/live") == (503, {"status": "down", "down": ["consumer"]})
        finish.set()
        wait_until(lambda: page.likes() == 1)
        assert said(port, "/health/live")[0] == 200


def test_a_port_that_is_taken_ends_it_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("METRICS_PORT", str(other.getsockname()[1]))
        with pytest.raises(SystemExit, match="in use"):
            consume(load())
