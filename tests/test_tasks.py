"""Each task is done, whatever is unavailable and for however long. A worker runs on a database and
a broker of its own, with short delays and a consumer timeout of some seconds."""

import json
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from amqp.exceptions import NotFound
from kombu import Connection, Queue
from kombu.exceptions import KombuError

from dev import postgres, rabbitmq, settings, topology
from dev.migrated import copy_migrated
from dev.paths import TOOLS
from dev.ports import Port
from dev.processes import Process, Processes
from innotter.config.celery import app
from innotter.config.schedule import EVERY
from innotter.events.dead_letters import DeadLetter, dead_letters, replay
from innotter_contracts.events import DELAYS, HOUSEKEEPING_QUEUE, MAIL_QUEUE, QUEUES
from tests.people import eventually

pytestmark = pytest.mark.xdist_group("tasks")

DELAY_MS = 50
# Longer than the broker waits for heartbeats.
CONSUMER_TIMEOUT_MS = 6_000


class Bench:
    """A worker, what it stands on, and the folder in which the test meets it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.processes = Processes(folder / "logs")
        self.folder = folder
        self._environment = environment
        self._ports = {name: Port() for name in ("amqp", "erlang", "epmd")}
        self._postgres = Port()
        self._password = settings.remembered(TOOLS / "password")
        self.amqp_url = rabbitmq.url(self._ports["amqp"], self._password)

    def __getitem__(self, name: str) -> Process:
        return self.processes.by_name[name]

    def start(self) -> None:
        start_postgres, data = postgres.start_postgres, self.folder / "postgres"
        copy_migrated(data, self._password, self._environment)
        start_postgres(self.processes, data, self._postgres, self._password, postgres.FORGETFUL)
        rabbitmq.start_rabbitmq(
            self.processes,
            self.folder / "rabbitmq",
            self._ports,
            self._password,
            ["/"],
            options={"consumer_timeout": CONSUMER_TIMEOUT_MS, "channel_tick_interval": 500},
        )
        wanted = topology.definitions()
        for queue in wanted["queues"]:
            if queue["name"] in DELAYS:
                queue["arguments"]["x-message-ttl"] = DELAY_MS
        topology.declare_topology(self.amqp_url, wanted)
        self.processes.start(
            "worker",
            [
                *(sys.executable, "-m", "celery", "--quiet", "-A", "tests.broken_tasks", "worker"),
                *("--queues", f"{MAIL_QUEUE},{HOUSEKEEPING_QUEUE}", "--concurrency", "2"),
                *("--without-mingle", "--without-gossip"),
            ],
            env={
                **self._environment,
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "AMQP_URL": self.amqp_url,
                "DATABASE_URL": postgres.url(self._postgres, self._password),
                "FOLDER": str(self.folder),
                "LOG_STYLE": "json",
            },
        )
        eventually(self._worker_reads, bool, seconds=60)

    def _worker_reads(self) -> bool:
        try:
            return topology.consumers(self.amqp_url, MAIL_QUEUE) > 0
        except (KombuError, OSError):
            return False

    def send(self, task: str, **kwargs: Any) -> None:
        with Connection(self.amqp_url) as broker:
            app.send_task(task, kwargs=kwargs, connection=broker)

    def done(self) -> Counter[str]:
        """The lines that tasks have written, and how often."""
        done = self.folder / "done"
        return Counter(done.read_text().split("\n")[:-1] if done.exists() else [])

    def said(self, event: str) -> list[dict[str, Any]]:
        """The worker's lines of that event."""
        said = self["worker"].log.read_text().splitlines()
        return [json.loads(line) for line in said if f'"event": "{event}"' in line]

    def started(self, line: str) -> int:
        """How often a task that was sent with the line."""
        return sum(said.get("line") == line for said in self.said("started"))

    def hold(self, point: str) -> None:
        """The worker will stop at that point, until `release`."""
        (self.folder / f"{point}.reached").unlink(missing_ok=True)
        (self.folder / point).touch()

    def reached(self, point: str) -> None:
        eventually((self.folder / f"{point}.reached").exists, bool)

    def release(self, point: str) -> None:
        (self.folder / point).unlink()

    def restart(self, name: str) -> None:
        self[name].start()
        if name == "rabbitmq":
            self[name].wait_until(lambda: rabbitmq.answers(self.amqp_url), seconds=90)
            eventually(self._worker_reads, bool, seconds=60)

    def messages(self) -> dict[str, int]:
        """In each queue that has any: neither given to the worker nor dead."""
        names = [*QUEUES, *DELAYS]
        counts = {name: topology.waiting(self.amqp_url, name) for name in names}
        return {name: count for name, count in counts.items() if count}

    def dead(self, queue: str = MAIL_QUEUE) -> list[DeadLetter]:
        _, letters = dead_letters(self.amqp_url, queue)
        return letters


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("tasks"), dict(os.environ))
    try:
        bench.start()
        yield bench
    finally:
        bench.processes.stop()


@pytest.fixture
def bench(running: Bench) -> Bench:
    topology.purge(running.amqp_url)
    return running


def a_line() -> str:
    return uuid.uuid4().hex


def test_a_database_that_is_away_for_more_than_twenty_deliveries_costs_no_task(
    bench: Bench,
) -> None:
    line = a_line()
    bench["postgres"].kill()
    bench.send("innotter.mail.test.write", line=line)
    eventually(lambda: bench.started(line), lambda count: count > 25)
    assert not bench.dead()
    bench.restart("postgres")
    eventually(bench.done, lambda done: line in done)
    eventually(bench.messages, lambda messages: not messages)
    assert bench.done()[line] == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_broker_that_dies_about_the_new_publish_loses_no_task(bench: Bench, moment: str) -> None:
    line = a_line()
    bench["postgres"].kill()
    bench.hold(moment)
    bench.send("innotter.mail.test.write", line=line)
    bench.reached(moment)
    bench["rabbitmq"].kill()
    bench.release(moment)
    bench.restart("rabbitmq")
    bench.restart("postgres")
    eventually(bench.done, lambda done: line in done)
    eventually(bench.messages, lambda messages: not messages)
    assert not bench.dead()


def test_what_cannot_be_published_anew_stays_unacknowledged(bench: Bench) -> None:
    line = a_line()
    with Connection(bench.amqp_url) as broker:
        channel: Any = broker.default_channel
        first_delay = {"queue": DELAYS[0], "exchange": DELAYS[0]}
        channel.queue_unbind(**first_delay)
        bench["postgres"].kill()
        bench.send("innotter.mail.test.write", line=line)
        eventually(lambda: str(bench.said("unacknowledged")), lambda said: "NO_ROUTE" in said)
        assert not bench.dead()
        channel.queue_bind(**first_delay)
    bench.restart("postgres")
    eventually(bench.done, lambda done: line in done)
    assert bench.done()[line] == 1


@pytest.mark.parametrize("is_up", [True, False], ids=["refuses", "is away"])
def test_a_worker_ends_when_it_is_told_to_though_the_broker_takes_nothing(
    bench: Bench, is_up: bool
) -> None:
    line, before = a_line(), len(bench.said("unacknowledged"))
    first_delay = {"queue": DELAYS[0], "exchange": DELAYS[0]}
    with Connection(bench.amqp_url) as broker:
        channel: Any = broker.default_channel
        channel.queue_unbind(**first_delay)
    bench["postgres"].kill()
    bench.send("innotter.mail.test.write", line=line)
    eventually(lambda: len(bench.said("unacknowledged")), lambda count: count > before)
    if not is_up:
        bench["rabbitmq"].kill()
    bench["worker"].send(signal.SIGTERM)
    eventually(lambda: bench["worker"].exit_code, lambda code: code == 0, seconds=60)
    if not is_up:
        bench["rabbitmq"].start()
        bench["rabbitmq"].wait_until(lambda: rabbitmq.answers(bench.amqp_url), seconds=90)
    with Connection(bench.amqp_url) as broker:
        channel = broker.default_channel
        channel.queue_bind(**first_delay)
    bench.restart("postgres")
    bench["worker"].start()
    eventually(bench.done, lambda done: line in done)
    eventually(bench.messages, lambda messages: not messages)
    assert bench.done()[line] == 1
    assert not bench.dead()


def test_a_task_that_outlives_the_consumer_timeout_is_done_by_a_worker_that_goes_on(
    bench: Bench,
) -> None:
    line = a_line()
    bench.hold("linger")
    bench.send("innotter.mail.test.linger", line=line)
    # The broker has closed the channel, and delivered the task again.
    eventually(lambda: bench.started(line), lambda count: count > 1)
    bench.release("linger")
    eventually(bench.done, lambda done: line in done)
    eventually(bench.messages, lambda messages: not messages)
    assert bench["worker"].exit_code is None
    assert not bench.dead()
    # The connection was kept alive meanwhile.
    logs = (bench.folder / "rabbitmq").rglob("*.log")
    assert not any("missed heartbeats" in log.read_text(errors="replace") for log in logs)


def test_a_task_whose_worker_is_killed_is_done_by_another(bench: Bench) -> None:
    line = a_line()
    bench.hold("linger")
    bench.send("innotter.mail.test.linger", line=line)
    bench.reached("linger")
    bench["worker"].kill()
    bench.release("linger")
    bench["worker"].start()
    eventually(bench.done, lambda done: line in done)
    assert not bench.dead()


def test_a_bug_is_a_dead_letter_with_its_reason_and_is_replayed_when_it_is_mended(
    bench: Bench,
) -> None:
    line = a_line()
    bench.send("innotter.mail.test.stumble", line=line)
    for deaths in (1, 2):
        [dead] = eventually(bench.dead, len)
        assert (dead.type, dead.reason) == (
            "innotter.mail.test.stumble",
            f"LookupError: no {line}",
        )
        assert dead.count == deaths
        assert dead.since
        if deaths == 2:
            (bench.folder / "mended").touch()
        assert replay(bench.amqp_url, MAIL_QUEUE) == 1
    eventually(bench.done, lambda done: line in done)
    assert not bench.dead()


def test_what_no_task_of_ours_can_be_made_of_is_a_dead_letter(bench: Bench) -> None:
    bench.send("innotter.mail.test.write", another="argument")
    [dead] = eventually(bench.dead, len)
    assert dead.reason.startswith("TypeError: ")
    bench.send("innotter.mail.of.another.version")
    eventually(bench.dead, lambda dead: len(dead) == 2)
    with Connection(bench.amqp_url) as broker, broker.Producer() as producer:
        producer.publish(b"{", content_type="application/json", routing_key=MAIL_QUEUE)
    eventually(bench.dead, lambda dead: len(dead) == 3)


def test_ten_minutes_of_the_clock_leave_nothing_behind_without_a_database(bench: Bench) -> None:
    bench["postgres"].kill()
    with Connection(bench.amqp_url) as broker:
        for name, interval in EVERY.items():
            for _ in range(int(600 / interval.total_seconds())):
                # Without the expiry that would hide a second try.
                app.send_task(name, connection=broker)
    eventually(bench.messages, lambda messages: not messages)
    # It has been tried, once each, and is no dead dead.
    tried = [said["task_id"] for said in bench.said("deferred") if said["task"] in EVERY]
    assert tried
    assert len(tried) == len(set(tried))
    assert not bench.dead()
    assert not bench.dead(HOUSEKEEPING_QUEUE)
    bench.restart("postgres")


def test_a_worker_declares_nothing(bench: Bench) -> None:
    """Celery's own delayed delivery would."""
    with Connection(bench.amqp_url) as broker, pytest.raises(NotFound):
        Queue("celery_delayed_0", channel=broker.default_channel).queue_declare(passive=True)
