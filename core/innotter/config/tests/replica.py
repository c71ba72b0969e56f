"""A hot standby that follows the tests' server, and can be paused and killed; and what a process
knows of it, which looks when a test says so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.test import Client
from psycopg.conninfo import conninfo_to_dict

from dev import postgres
from dev.assertions import wait_until
from dev.ports import Port
from dev.processes import Process, Processes
from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.common import replica_lag, replicas
from innotter.common.replica_lag import Watch
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    make_follower,
    new_page,
    new_post,
    new_user,
    signed_in,
)
from innotter.pages.models import Page

REPLICA = "replica-1"


@dataclass
class Replica:
    url: str
    process: Process
    # Asked of it by requests.
    answered: list[str] = field(default_factory=list)

    def ask(self, sql: str) -> Any:
        with psycopg.connect(self.url, autocommit=True) as own:
            return own.execute(sql).fetchone()

    def catch_up(self) -> None:
        """Has what is committed by now."""
        postgres.catch_up(os.environ["DATABASE_URL"], self.url)

    def pause(self) -> None:
        """With all that is committed by now. What comes later it has, and doesn't show."""
        self.catch_up()
        self.ask("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: self.ask("SELECT pg_get_wal_replay_pause_state()") == ("paused",), seconds=30
        )

    def go_on(self) -> None:
        self.ask("SELECT pg_wal_replay_resume()")
        self.catch_up()


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Process]]:
    """A hot standby of the tests' server: its URL, and its process."""
    folder = tmp_path_factory.mktemp("replica")
    processes = Processes(folder / "logs")
    # Each process of the tests has one of its own.
    data = Path(os.environ["TEST_LOGS"]).parent / f"replica-{os.getpid()}"
    try:
        # It looks for its primary anew without waiting for five seconds.
        options = {**postgres.FORGETFUL, "wal_retrieve_retry_interval": "100ms"}
        url = postgres.start_replica(processes, data, Port(), os.environ["DATABASE_URL"], options)
        yield url, processes.by_name["replica"]
    finally:
        processes.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """It stands still where nobody moves it by `clock.now`."""
    clock = SimpleNamespace(now=1000.0)
    time = SimpleNamespace(monotonic=lambda: clock.now, sleep=lambda _: None)
    monkeypatch.setattr(replica_lag, "time", time)
    return clock


@pytest.fixture
def watch(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """That looks when a test says so."""
    watch = Watch()
    watch._is_begun = True
    monkeypatch.setattr(replicas, "watch", watch)
    return watch


@pytest.fixture
def replica(
    transactional_db: None, server: tuple[str, Process], watch: Watch, settings: LazySettings
) -> Iterator[Replica]:
    """Has caught up, and is known to have."""
    url, process = server
    place = conninfo_to_dict(url)
    own = {**connection.settings_dict, "HOST": place["host"], "PORT": place["port"]}
    connections.databases[REPLICA] = own
    settings.DATABASE_REPLICAS = [REPLICA]
    allow(connections[REPLICA])
    replica = Replica(url, process)
    replica.go_on()

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if sql != replica_lag.REPLAYED:
            replica.answered.append(sql)
        return execute(sql, *rest)

    try:
        with connections[REPLICA].execute_wrapper(note):
            yield replica
    finally:
        connections[REPLICA].close()
        del connections[REPLICA], connections.databases[REPLICA]
        if postgres.answers(url):
            replica.go_on()


def allow(server: Any) -> None:
    """Django's tests refuse connections to what they don't empty."""

    def ensure_connection() -> None:
        if server.connection is None:
            with server.wrap_database_errors:
                server.connect()

    server.ensure_connection = ensure_connection


def look(watch: Watch) -> None:
    watch.look_at_primary()
    watch.look_at(REPLICA)


def caught_up(replica: Replica, watch: Watch) -> None:
    """Has what is committed by now, and is known to. Other tests write all the time: the primary is
    looked at before."""
    watch.look_at_primary()
    replica.catch_up()
    watch.look_at(REPLICA)


@contextmanager
def paused(replica: Replica, watch: Watch) -> Iterator[None]:
    """Believed to be fresh, and from now on late: the longest second of all."""
    watch.look_at_primary()
    replica.pause()
    watch.look_at(REPLICA)
    assert watch.fresh() == [REPLICA]
    replica.answered.clear()
    try:
        yield
    finally:
        replica.go_on()


def flushed(watch: Watch) -> None:
    """Looks at both when all that is committed has its place in the log."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SELECT pg_logical_emit_message(true, 'test', 'so far')")
        cursor.execute("RESET synchronous_commit")
    look(watch)


@dataclass
class Person:
    """Calls the API and the site in sessions of their own."""

    user: User

    def __post_init__(self) -> None:
        access = log_in(login=self.user.username, password=PASSWORD, client=CLIENT).access
        self.headers = {"Authorization": f"Bearer {access}"}
        self.api = Client(headers=self.headers, raise_request_exception=False)
        self.browser = signed_in(self.user)

    def get(self, path: str) -> Any:
        return self.api.get(f"/api/v1{path}")

    def post(self, path: str, body: Any = None) -> Any:
        return self.api.post(f"/api/v1{path}", body, "application/json")


@pytest.fixture
def author(replica: Replica) -> Person:
    """Owns the page `ann` with a post."""
    ann = new_user("ann")
    new_post(new_page(ann, uuid="ann"))
    return Person(ann)


@pytest.fixture
def reader(author: Person) -> Person:
    """Follows it."""
    bob = new_user("bob")
    make_follower(bob, Page.objects.get())
    return Person(bob)


def contents(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [post["content"] for post in answer.json()["results"]]
