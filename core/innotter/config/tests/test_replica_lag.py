"""How late a replica is, and what is answered while it or the primary is gone."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection, connections
from django.test import Client

from dev import postgres
from dev.assertions import wait_until
from dev.testing import kill
from innotter.common import replica_lag
from innotter.common.replica_lag import MOST_AWAY, MOST_BEHIND, TRUSTED, Watch
from innotter.config.tests.replica import (
    REPLICA,
    Person,
    Replica,
    author,
    caught_up,
    clock,
    contents,
    flushed,
    look,
    paused,
    reader,
    replica,
    server,
    watch,
)
from innotter.conftest import (
    Log,
    refusal,
)

# One copy of the tests' server will do.
pytestmark = pytest.mark.xdist_group("replica")

__all__ = ["author", "clock", "reader", "replica", "server", "watch"]  # fixtures


def test_one_that_is_late_answers_nobody(
    replica: Replica, watch: Watch, clock: SimpleNamespace, author: Person, reader: Person
) -> None:
    with paused(replica, watch):
        author.post("/pages/ann/posts", {"content": "News"})
        clock.now += MOST_BEHIND
        flushed(watch)
        assert watch.fresh() == [REPLICA]
        clock.now += 0.1
        watch.look_at(REPLICA)
        assert watch.fresh() == []
        assert contents(Client().get("/api/v1/pages/ann/posts")) == ["News", "Hello, world"]
        # Nor those who wrote nothing: what they see was there a second ago.
        assert contents(reader.get("/feed")) == ["News", "Hello, world"]
        assert replica.answered == []
    look(watch)
    assert watch.fresh() == [REPLICA]


def test_one_that_nobody_could_look_at_answers_nobody(
    replica: Replica, watch: Watch, clock: SimpleNamespace
) -> None:
    look(watch)
    clock.now += TRUSTED
    watch.look_at_primary()
    assert watch.fresh() == []


def test_a_primary_is_no_replica(replica: Replica, watch: Watch) -> None:
    """Such as one that was promoted."""
    connections[REPLICA].close()
    connections[REPLICA].settings_dict["PORT"] = connection.settings_dict["PORT"]
    look(watch)
    assert watch.fresh() == []


def test_strangers_read_on_for_a_minute_while_the_primary_is_away(
    replica: Replica,
    watch: Watch,
    clock: SimpleNamespace,
    author: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with paused(replica, watch):
        assert Client().get("/api/v1/pages/ann").status_code == 200
        with primary_away(monkeypatch):
            stranger = Client(raise_request_exception=False)
            for _ in range(MOST_AWAY):
                look_in_vain(watch)
                assert stranger.get("/api/v1/pages/ann").status_code == 200
                clock.now += 1
            clock.now += 1
            watch.look_at(REPLICA)
            assert refusal(stranger.get("/api/v1/pages/ann")) == (503, "database_unavailable")
            # A session is read on the primary alone.
            assert refusal(author.get("/pages/ann")) == (503, "database_unavailable")


def test_so_they_do_where_its_last_moment_reached_no_replica(
    replica: Replica,
    watch: Watch,
    clock: SimpleNamespace,
    author: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with paused(replica, watch):
        author.post("/pages/ann/posts", {"content": "News"})
        clock.now += MOST_BEHIND
        flushed(watch)
        with primary_away(monkeypatch):
            # Nobody waits until it is known to be away.
            clock.now += MOST_BEHIND + 0.1
            watch.look_at(REPLICA)
            assert contents(Client().get("/api/v1/pages/ann/posts")) == ["Hello, world"]


@contextmanager
def primary_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    port = connection.settings_dict["PORT"]
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", 1)
    try:
        yield
    finally:
        connection.settings_dict["PORT"] = port


def look_in_vain(watch: Watch) -> None:
    with pytest.raises(OperationalError):
        watch.look_at_primary()
    watch.look_at(REPLICA)


def test_each_server_has_a_thread_from_the_first_request_on(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def thread(*, name: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(start=lambda: begun.append(name))

    monkeypatch.setattr(replica_lag, "Thread", thread)
    settings.DATABASE_REPLICAS = [REPLICA]
    watch = Watch()
    for _ in range(2):
        assert watch.fresh() == []
    assert begun == ["watch default", f"watch {REPLICA}"]


def test_a_server_that_is_away_is_looked_for_anew_and_has_one_line(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    closed: list[str] = []
    server = SimpleNamespace(close=lambda: closed.append(REPLICA))
    monkeypatch.setattr(replica_lag, "connections", {REPLICA: server})
    looks = iter([True, False, False, True, False])

    def look() -> None:
        if not next(looks):
            raise OperationalError("Connection refused")

    with pytest.raises(StopIteration):
        replica_lag._go_on(REPLICA, look)
    assert [line["event"] for line in log()] == ["server_away"] * 2
    assert len(closed) == 3


# One that dies


def test_no_read_fails_while_a_replica_dies_and_comes_back(
    replica: Replica, watch: Watch, author: Person, reader: Person
) -> None:
    caught_up(replica, watch)
    assert contents(reader.get("/feed")) == ["Hello, world"]
    assert replica.answered
    kill(replica.process)
    # On the connection that is broken, then on none.
    for _ in range(2):
        assert contents(reader.get("/feed")) == ["Hello, world"]
        assert Client().get("/@ann").status_code == 200
    with pytest.raises(OperationalError):
        watch.look_at(REPLICA)
    assert watch._seen[REPLICA].behind == math.inf
    replica.process.start()
    wait_until(lambda: postgres.answers(replica.url), seconds=30)
    caught_up(replica, watch)
    replica.answered.clear()
    assert contents(reader.get("/feed")) == ["Hello, world"]
    assert replica.answered


def test_what_a_replica_gives_up_the_primary_answers(
    replica: Replica, watch: Watch, reader: Person
) -> None:
    """Such as a read that stands in the way of what it replays."""
    with paused(replica, watch):

        def conflict(execute: Any, sql: str, *rest: Any) -> Any:
            if "posts_post" in sql:
                raise OperationalError("canceling statement due to conflict with recovery")
            return execute(sql, *rest)

        with connections[REPLICA].execute_wrapper(conflict):
            assert contents(reader.get("/feed")) == ["Hello, world"]
        assert watch.fresh() == []
