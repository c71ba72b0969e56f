"""Each alarm of deploy/prometheus fires when what it warns of happens to a running stack, and none
when all is well. The figures are the processes' own; the rules are evaluated by Prometheus's own
engine, for minutes that nobody waits for."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import yaml
from kombu import Connection
from prometheus_client import CollectorRegistry, generate_latest

from dev import topology
from dev.paths import ROOT
from dev.promtool import RULES, Scrape, firing, firing_after, scrape, series_of
from dev.stack import Stack
from dev.testing import BackingServices, breakable_stack_for_tests
from innotter.common.metrics import Disk
from innotter.config.celery import app
from innotter_contracts.events import DEAD, DELAYS, MAIL_QUEUE, STATS_QUEUE
from tests.people import Person, eventually

pytestmark = [pytest.mark.xdist_group("alarms"), pytest.mark.timeout(500)]

ALARMS = [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]


@dataclass
class Running:
    stack: Stack
    backing: BackingServices
    ann: Person
    page: str


# Causes it until it is left; yields what else fires then.
type Cause = Callable[[Running], AbstractContextManager[set[str]]]


def dead(name: str, *consequences: str) -> Cause:
    @contextmanager
    def cause(at: Running) -> Iterator[set[str]]:
        at.stack.kill(name)
        yield set(consequences)
        at.stack.start(name)

    return cause


def frozen(name: str, *consequences: str) -> Cause:
    """It keeps its connections and says nothing on them any more."""

    @contextmanager
    def cause(at: Running) -> Iterator[set[str]]:
        processes = {**at.stack.processes.by_name, **at.backing.processes.by_name}
        os.killpg(processes[name].pid, signal.SIGSTOP)
        try:
            yield set(consequences)
        finally:
            os.killpg(processes[name].pid, signal.SIGCONT)

    return cause


@contextmanager
def api_processes_frozen(at: Running) -> Iterator[set[str]]:
    """The first process runs on, and serves the figures."""
    children = psutil.Process(at.stack.processes.by_name["core"].pid).children(recursive=True)
    for child in children:
        child.suspend()
    yield set()
    for child in children:
        child.resume()


@contextmanager
def broker_dead(at: Running) -> Iterator[set[str]]:
    at.backing.kill("rabbitmq")
    grown(at.stack, 'innotter_stats_down{part="broker"', 1)
    yield {"StatisticsWait"}
    at.backing.start_again("rabbitmq")
    at.backing.wait_for("rabbitmq")


@contextmanager
def an_old_event(at: Running) -> Iterator[set[str]]:
    """One that was published before, as it was: nothing follows from it twice."""
    with frozen("rabbitmq")(at):
        execute(at.stack, f"{OLD} SELECT gen_random_uuid(), type, body, {THEN} {PUBLISHED}")
        yield {"BrokerDown"}


@contextmanager
def an_event_that_cannot_be_published(at: Running) -> Iterator[set[str]]:
    execute(at.stack, f"{OLD} VALUES (gen_random_uuid(), 'odd', '{{}}', {THEN})")
    grown(at.stack, "innotter_outbox_deferred", 1)
    yield {"OutboxStuck"}
    execute(at.stack, "DELETE FROM events_outboxevent WHERE type = 'odd'")


@contextmanager
def read_only_for_long(at: Running) -> Iterator[set[str]]:
    execute(at.stack, "INSERT INTO common_maintenance VALUES (true, 'Forgotten.', now())")
    yield set()
    execute(at.stack, "DELETE FROM common_maintenance")


@contextmanager
def a_long_queue(at: Running) -> Iterator[set[str]]:
    at.stack.kill("consumer")
    publish(at.stack, STATS_QUEUE, *[b"{}"] * 10_001)
    # Nobody has confirmed that they are there.
    grown(at.stack, f'innotter_queue_messages{{queue="{STATS_QUEUE}"', 10_001)
    yield {"NoConsumer", "QueueUnread"}
    topology.purge(at.stack.env["AMQP_URL"])
    at.stack.start("consumer")


@contextmanager
def table_away(at: Running) -> Iterator[set[str]]:
    at.backing.kill("proxy")
    at.ann.new_page()
    grown(at.stack, 'innotter_stats_down{part="table"', 1)
    yield {"StatisticsDown"}
    at.backing.start_again("proxy")


@contextmanager
def statistics_asked_in_vain(at: Running) -> Iterator[set[str]]:
    at.backing.kill("proxy")
    assert at.ann.statistics(at.page).status_code == 503
    yield {"StatisticsDown"}
    at.backing.start_again("proxy")


@contextmanager
def a_task_in_the_longest_delay(at: Running) -> Iterator[set[str]]:
    publish(at.stack, DELAYS[-1], b"{}")
    yield set()
    topology.purge(at.stack.env["AMQP_URL"])


@contextmanager
def a_message_that_is_no_event(at: Running) -> Iterator[set[str]]:
    publish(at.stack, STATS_QUEUE, b"{}")
    grown(at.stack, f'innotter_queue_messages{{queue="{STATS_QUEUE}{DEAD}"', 1)
    yield set()
    topology.purge(at.stack.env["AMQP_URL"])


@contextmanager
def a_sender_that_nobody_has_verified(at: Running) -> Iterator[set[str]]:
    sender = at.stack.env["MAIL_FROM"]
    at.stack.env["MAIL_FROM"] = "nobody@unverified.example"
    at.stack.replace("worker")
    at.ann.post(f"/pages/{at.page}/posts", content="Refuse me.", expect=201)
    grown(at.stack, 'innotter_mails_total{outcome="retried"', 1)
    yield set()
    at.stack.env["MAIL_FROM"] = sender
    at.stack.replace("worker")


@contextmanager
def a_worker_that_died_while_sending(at: Running) -> Iterator[set[str]]:
    """As it leaves the row behind."""
    at.ann.post(f"/pages/{at.page}/posts", content="Lose me.", expect=201)
    grown(at.stack, 'innotter_mails_total{outcome="sent"', 1)
    execute(at.stack, "UPDATE mail_delivery SET state = 'sending', claimed_until = now()")
    grown(at.stack, 'innotter_mails_total{outcome="unknown"', 1)
    yield set()


@contextmanager
def a_task_with_a_bug(at: Running) -> Iterator[set[str]]:
    with Connection(at.stack.env["AMQP_URL"]) as broker:
        app.send_task("innotter.mail.notify_followers", kwargs={"no": 1}, connection=broker)
    grown(at.stack, f'innotter_queue_messages{{queue="{MAIL_QUEUE}{DEAD}"', 1)
    yield {"DeadLetters"}
    topology.purge(at.stack.env["AMQP_URL"])


@contextmanager
def a_table_is_gone(at: Running) -> Iterator[set[str]]:
    execute(at.stack, "ALTER TABLE pages_tag RENAME TO elsewhere")
    assert httpx.get(f"{at.stack.core_url}/api/v1/tags?q=a").status_code == 500
    yield set()
    execute(at.stack, "ALTER TABLE elsewhere RENAME TO pages_tag")


@contextmanager
def a_table_is_locked(at: Running) -> Iterator[set[str]]:
    with psycopg.connect(at.stack.env["DATABASE_URL"]) as blocker:
        blocker.execute("LOCK TABLE pages_tag")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{at.stack.core_url}/api/v1/tags?q=a", timeout=1.5)
    grown(at.stack, SLOW, 1)
    yield set()


@contextmanager
def database_has_no_space(at: Running) -> Iterator[set[str]]:
    """It says so by this code."""
    execute(
        at.stack,
        """CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$""",
    )
    execute(
        at.stack,
        "CREATE TRIGGER no_space BEFORE INSERT ON accounts_user EXECUTE FUNCTION no_space()",
    )
    account = {"username": "ann", "email": "ann@example.com", "password": "a quiet harbour 7"}
    answer = httpx.post(f"{at.stack.core_url}/api/v1/auth/register", json=account)
    assert answer.status_code == 503
    yield {"RequestsFail"}
    execute(at.stack, "DROP FUNCTION no_space CASCADE")


CAUSES: list[tuple[str, Cause]] = [
    ("CoreDown", dead("core")),
    ("CoreDown", api_processes_frozen),
    ("StatisticsDown", dead("stats")),
    ("SchedulerDown", frozen("scheduler")),
    ("NoRelay", dead("relay")),
    ("NoConsumer", dead("consumer", "QueueUnread")),
    ("QueueUnread", dead("worker")),
    ("BrokerDown", frozen("rabbitmq")),
    ("OutboxStuck", an_old_event),
    ("OutboxDeferred", an_event_that_cannot_be_published),
    ("QueueGrows", a_long_queue),
    ("StatisticsWait", table_away),
    ("StatisticsFail", statistics_asked_in_vain),
    ("TasksWait", a_task_in_the_longest_delay),
    ("Maintenance", read_only_for_long),
    ("DeadLetters", a_message_that_is_no_event),
    ("MailWaits", a_sender_that_nobody_has_verified),
    ("MailFails", a_worker_that_died_while_sending),
    ("TasksFail", a_task_with_a_bug),
    ("RequestsFail", a_table_is_gone),
    ("RequestsSlow", a_table_is_locked),
    ("DiskFull", database_has_no_space),
    # Last: it comes back slowly.
    ("BrokerDown", broker_dead),
]


@pytest.fixture(scope="module")
def running(aws: None) -> Iterator[Running]:
    with breakable_stack_for_tests() as (stack, backing):
        ann = Person.arrives(stack, "ann")
        at = Running(stack, backing, ann, page=ann.new_page())
        eventually(lambda: ann.statistics(at.page).status_code, lambda status: status == 200)
        Person.arrives(stack, "bob", confirmed=True).post(f"/pages/{at.page}/follow")
        yield at


@pytest.fixture
def well(running: Running) -> tuple[Scrape, Scrape]:
    """Two scrapes of a stack that has recovered from what the last test did to it."""

    def alarms() -> set[str]:
        now = scrape(running.stack)
        return firing((now, now), now)

    eventually(alarms, lambda fired: not fired, seconds=120)
    return scrape(running.stack), scrape(running.stack)


def test_all_are_silent_when_all_is_well(running: Running, well: tuple[Scrape, Scrape]) -> None:
    running.ann.post(f"/pages/{running.page}/posts", content="All is well.", expect=201)
    for _ in range(50):
        running.ann.get("/feed")
    assert running.ann.statistics(running.page).status_code == 200
    assert firing(well, scrape(running.stack)) == set()


@pytest.mark.parametrize(
    ("alarm", "cause"), CAUSES, ids=[f"{alarm}-{n}" for n, (alarm, _) in enumerate(CAUSES)]
)
def test_it_fires(running: Running, well: tuple[Scrape, Scrape], alarm: str, cause: Cause) -> None:
    with cause(running) as consequences:
        last = scrape(running.stack)
    fired = firing(well, last)
    failed = {name: count for name, count in last.items() if 'outcome="failure"' in name and count}
    # A busy machine may be slow by itself.
    assert fired - ({"RequestsSlow"} - {alarm}) == {alarm, *consequences}, failed


def test_a_disk_that_is_almost_full_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    fired = {}
    for free in (5, 50):
        usage: Any = shutil._ntuple_diskusage(100, 100 - free, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        registry = CollectorRegistry()
        registry.register(Disk())
        served = series_of(generate_latest(registry).decode(), job="relay")
        steady = {series: f"{value}x10" for series, value in served.items()}
        fired[free] = "DiskFull" in firing_after(10, steady)
    assert fired == {5: True, 50: False}


@pytest.mark.parametrize(
    ("alarm", "series"),
    [
        ("MailFails", 'innotter_mails_total{outcome="failed"}'),
        ("TasksFail", 'innotter_tasks_total{outcome="failure",task="a"}'),
    ],
)
def test_what_is_first_seen_at_500_is_told_of_once(alarm: str, series: str) -> None:
    """A worker that has failed before Prometheus first looked."""
    assert alarm in firing_after(20, {series: "_x15 500x5"})
    assert alarm not in firing_after(40, {series: "_x15 500x25"})


def test_each_alarm_is_caused_and_explained() -> None:
    assert {alarm for alarm, _ in CAUSES} == set(ALARMS)
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(ALARMS) <= set(re.findall(r"^\*\*(\w+)\*\*", page, re.M))


# An answer of the list of tags, however long it took.
SLOW = 'innotter_request_seconds_bucket{le="+Inf",method="GET",route="api/v1/tags$",status="200"'

OLD = "INSERT INTO events_outboxevent (id, type, body, occurred_at)"
THEN = "now() - interval '5 minutes'"
PUBLISHED = "FROM events_outboxevent WHERE published_at IS NOT NULL LIMIT 1"


def execute(stack: Stack, sql: str) -> None:
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as database:
        database.execute(sql)


def publish(stack: Stack, queue: str, *bodies: bytes) -> None:
    """By the default exchange, which knows each queue by its name."""
    with Connection(stack.env["AMQP_URL"]) as broker, broker.Producer() as producer:
        for body in bodies:
            producer.publish(body, routing_key=queue, content_type="application/json")


def grown(stack: Stack, series: str, least: float) -> None:
    """Waits until a figure of that name, and labels that begin so, is so large."""

    def largest() -> float:
        return max(
            (value for key, value in scrape(stack).items() if key.startswith(series)), default=0
        )

    eventually(largest, lambda value: value >= least, seconds=60)
