"""Of several schedulers one calls for tasks: who has the lease, and has just been told so."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from celery import Celery, beat
from celery.beat import ScheduleEntry
from celery.schedules import schedule
from django.db import connection

from dev.stack import command
from innotter.config import scheduler
from innotter.config.scheduler import CLOCK, TRY_EVERY, Scheduler
from innotter.conftest import Log
from innotter.events.tests.conftest import amqp_url
from innotter.events.tests.test_relay import until

__all__ = ["amqp_url"]  # a fixture

pytestmark = pytest.mark.django_db

HOLDER = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objid = %s
"""

type Ticks = Callable[[Scheduler], bool]


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    """Whether one calls for what is due."""
    called: list[Scheduler] = []
    monkeypatch.setattr(beat.Scheduler, "apply_async", lambda self, *_, **__: called.append(self))

    def ticks(clock: Scheduler) -> bool:
        called.clear()
        clock.tick()
        return called == [clock]

    return ticks


@contextmanager
def new_clock() -> Iterator[Scheduler]:
    """For which one thing is always due."""
    app = Celery(set_as_current=False)
    turn = ScheduleEntry("turn", "no.such.task", schedule=schedule(0), app=app)
    with closing(Scheduler(app, schedule={"turn": turn}, lazy=True)) as clock:
        # No broker is needed.
        vars(clock)["producer"] = None
        yield clock


@pytest.fixture
def one() -> Iterator[Scheduler]:
    with new_clock() as clock:
        yield clock


@pytest.fixture
def two() -> Iterator[Scheduler]:
    with new_clock() as clock:
        yield clock


def holder() -> int | None:
    """Its process at the server."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDER, [CLOCK])
        return next((pid for (pid,) in cursor.fetchall()), None)


def terminate_holder() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [holder()])


def test_of_two_one_ticks_and_the_other_waits_for_seconds(
    one: Scheduler, two: Scheduler, ticks: Ticks
) -> None:
    for _ in range(3):
        assert ticks(one)
        assert not ticks(two)
    assert two.tick() == TRY_EVERY
    assert TRY_EVERY >= 5


def test_one_that_ends_leaves_it_to_the_other(one: Scheduler, two: Scheduler, ticks: Ticks) -> None:
    assert ticks(one)
    one.close()
    assert ticks(two)
    assert not ticks(one)


def test_whose_connection_was_ended_ticks_no_longer_when_another_has_taken_over(
    one: Scheduler, two: Scheduler, ticks: Ticks, log: Log
) -> None:
    assert ticks(one)
    terminate_holder()
    assert ticks(two)
    assert not ticks(one)
    assert not ticks(one)
    assert ticks(two)
    said = [line["event"] for line in log()]
    assert said == ["lease_taken", "lease_taken", "lease_unknown", "lease_lost"]


def test_where_nobody_has_taken_over_no_turn_is_lost(
    one: Scheduler, two: Scheduler, ticks: Ticks
) -> None:
    assert ticks(one)
    terminate_holder()
    assert ticks(one)
    assert not ticks(two)


def test_one_that_stands_still_is_given_up_and_knows_it_when_it_wakes(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LEASE_SECONDS", 1)
    with new_clock() as paused, new_clock() as other:
        assert ticks(paused)
        until(lambda: ticks(other))
        assert not ticks(paused)


def test_while_the_database_is_away_nobody_ticks_and_one_does_when_it_is_back(
    one: Scheduler, two: Scheduler, ticks: Ticks
) -> None:
    assert ticks(one)
    own: Any = one._lease._connection.settings_dict
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = {**own, "HOST": "127.0.0.1", "PORT": nobody.getsockname()[1]}
        one._lease._connection.settings_dict = two._lease._connection.settings_dict = away
        terminate_holder()
        for _ in range(2):
            assert not ticks(one)
            assert not ticks(two)
        assert one.tick() == TRY_EVERY
    one._lease._connection.settings_dict = two._lease._connection.settings_dict = own
    assert ticks(two)
    assert not ticks(one)


def test_a_server_that_takes_no_writes_any_more_is_left(one: Scheduler, ticks: Ticks) -> None:
    assert ticks(one)
    demoted = holder()
    with one._lease._connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert ticks(one)
    assert holder() != demoted


def test_a_process_waits_for_it_and_leaves_it_when_it_is_killed(
    one: Scheduler, two: Scheduler, ticks: Ticks, amqp_url: str
) -> None:
    assert ticks(one)
    ours = holder()
    at = connection.settings_dict
    url = f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "AMQP_URL": amqp_url, "LOG_STYLE": "json"}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    with subprocess.Popen(command(["scheduler"], {}), env=env) as process:
        try:
            one.close()
            until(lambda: holder() not in {None, ours})
            assert not ticks(two)
            process.kill()
            until(lambda: ticks(two))
        finally:
            process.kill()
