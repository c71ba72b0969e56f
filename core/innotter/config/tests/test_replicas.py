"""Reads from replicas: nobody misses what they wrote themselves, nothing is decided by what a
replica says, and one that is late or gone is not noticed. A real one follows the tests' server."""

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection, connections
from django.test import Client
from psycopg.conninfo import conninfo_to_dict

from dev import postgres
from dev.assertions import assert_none
from dev.ports import Port
from dev.processes import Process, Processes
from dev.testing import kill
from innotter.accounts.logins import log_in
from innotter.accounts.models import Session, User
from innotter.accounts.sessions import log_out_of_site
from innotter.accounts.tokens import mint_access_token
from innotter.common import maintenance, replica_lag, replicas
from innotter.common.replica_lag import MOST_AWAY, MOST_BEHIND, TRUSTED, Watch
from innotter.config.tests import test_permissions
from innotter.config.tests.routes import LISTS, NEEDED, routes
from innotter.config.tests.test_permissions import cast as api_cast
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    make_follower,
    new_page,
    new_post,
    new_user,
    refusal,
    rolled_back,
    signed_in,
)
from innotter.moderation.services import block_user
from innotter.pages.models import Page
from innotter.pages.services import edit_page, follow
from innotter.posts.models import Post
from innotter.posts.services import create_post
from innotter.web.tests import test_routes
from innotter.web.tests.test_routes import cast as site_cast

__all__ = ["api_cast", "site_cast"]  # fixtures

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
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as primary:
            primary.execute("SET synchronous_commit = on")
            primary.execute("SELECT pg_logical_emit_message(true, 'test', 'so far')")
            [here] = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or [None]
        wait_for(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == (True,))

    def pause(self) -> None:
        """With all that is committed by now. What comes later it has, and doesn't show."""
        self.catch_up()
        self.ask("SELECT pg_wal_replay_pause()")
        wait_for(lambda: self.ask("SELECT pg_get_wal_replay_pause_state()") == ("paused",))

    def go_on(self) -> None:
        self.ask("SELECT pg_wal_replay_resume()")
        self.catch_up()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Process]]:
    """A hot standby of the tests' server: its URL, and its process."""
    folder = tmp_path_factory.mktemp("replica")
    processes = Processes(folder / "logs")
    data = Path(os.environ["TEST_LOGS"]).parent / f"replica-{folder.name}"
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
    monkeypatch.setattr(replica_lag, "time", SimpleNamespace(monotonic=lambda: clock.now))
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


@contextmanager
def paused(replica: Replica, watch: Watch) -> Iterator[None]:
    """Believed to be fresh, and from now on late: the longest second of all."""
    replica.pause()
    look(watch)
    assert watch.fresh() == [REPLICA]
    replica.answered.clear()
    try:
        yield
    finally:
        replica.go_on()


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


# Who answers


def test_a_replica_answers_what_is_read_in_a_statement_more(
    replica: Replica, watch: Watch, reader: Person
) -> None:
    """The caller on the primary, and on the replica their number and what they ask for."""
    with paused(replica, watch):
        asked: list[str] = []

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            assert contents(reader.get("/feed")) == ["Hello, world"]
        assert len(asked) == 1
        assert 'FROM "accounts_user"' in asked[0]
        number, feed = replica.answered
        assert number.startswith('SELECT "accounts_session"."writes"')
        assert 'FROM "posts_post"' in feed


def test_strangers_cost_the_primary_nothing(replica: Replica, watch: Watch, author: Person) -> None:
    post = Post.objects.get().pk
    of_site = ["/", "/@ann", "/search?q=ann", "/@ann.atom"]
    of_api = ["/pages/ann", "/pages/ann/posts", f"/posts/{post}", f"/posts/{post}/replies"]
    with paused(replica, watch):
        for path in [*of_site, *(f"/api/v1{path}" for path in [*of_api, "/search?q=ann"])]:
            with connection.execute_wrapper(no_statement):
                assert Client().get(path).status_code == 200, path
        assert len(replica.answered) >= len(of_site) + len(of_api)
        assert not any("accounts_session" in sql for sql in replica.answered)


def no_statement(execute: Any, sql: str, *rest: Any) -> Any:
    pytest.fail(f"The primary was asked: {sql}")


def test_a_write_is_counted_in_its_session_and_in_no_other(reader: Person) -> None:
    api, site = Session.objects.filter(user=reader.user).order_by("id")
    assert (api.writes, site.writes) == (0, 0)
    post = Post.objects.get()
    before = number_of_statements(lambda: reader.api.post(f"/api/v1/posts/{post.id}/like"))
    api.refresh_from_db()
    site.refresh_from_db()
    assert (api.writes, site.writes) == (1, 0)
    # The caller, the limit, the row, the like, and the number.
    assert before == 5


def number_of_statements(request: Any) -> int:
    sent = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        assert request().status_code == 200
    return len(sent)


def test_what_is_rolled_back_is_not_counted(reader: Person) -> None:
    assert reader.post("/pages/ann/posts", {"content": "Not mine"}).status_code == 403
    assert not Session.objects.exclude(writes=0).exists()


def test_a_token_without_a_session_and_the_panel_read_on_the_primary(
    replica: Replica, watch: Watch, author: Person
) -> None:
    admin = new_user("admin", role=User.Role.ADMIN)
    program = Client(headers={"Authorization": f"Bearer {mint_access_token(author.user)}"})
    with paused(replica, watch):
        assert program.get("/api/v1/feed").status_code == 200
        assert signed_in(admin).get("/admin/").status_code == 200
        assert replica.answered == []


# One's own writes


def test_ones_own_write_is_seen_at_once_while_the_replica_is_late(
    replica: Replica, watch: Watch, author: Person
) -> None:
    """Red without the number: the replica shows what was there before."""
    with paused(replica, watch):
        author.post("/pages/ann/posts", {"content": "News"})
        assert contents(author.get("/pages/ann/posts")) == ["News", "Hello, world"]
        assert contents(author.get("/feed")) == ["News", "Hello, world"]
        # Others see it within a second.
        assert contents(Client().get("/api/v1/pages/ann/posts")) == ["Hello, world"]
    replica.answered.clear()
    look(watch)
    assert contents(author.get("/pages/ann/posts")) == ["News", "Hello, world"]
    assert len(replica.answered) == 2


def test_so_it_is_on_the_site(replica: Replica, watch: Watch, author: Person) -> None:
    with paused(replica, watch):
        said = {"content": "News", "page": "ann"}
        answer = author.browser.post("/", said, follow=True)
        assert "News" in answer.content.decode()
        assert "News" in author.browser.get("/@ann").content.decode()
        assert "News" not in Client().get("/@ann").content.decode()


def test_a_new_session_is_unknown_to_a_late_replica(
    replica: Replica, watch: Watch, author: Person
) -> None:
    with paused(replica, watch):
        eve = new_user("eve")
        new_page(eve, uuid="eve")
        assert Person(eve).get("/pages/eve").status_code == 200


def test_a_block_and_a_logout_work_at_once(
    replica: Replica, watch: Watch, author: Person, reader: Person
) -> None:
    admin = new_user("admin", role=User.Role.ADMIN)
    with paused(replica, watch):
        block_user(actor=admin, user=reader.user)
        assert refusal(reader.get("/feed")) == (401, "user_blocked")
        assert reader.browser.get("/").status_code == 403
        log_out_of_site(session=Session.objects.get(user=author.user, cookie_digest__isnull=False))
        assert author.browser.get("/settings").status_code == 303


# What decides a write


def test_what_decides_a_write_is_read_on_the_primary(
    replica: Replica, watch: Watch, author: Person
) -> None:
    """The replica still shows the page as a public one."""
    eve = Person(new_user("eve"))
    with paused(replica, watch):
        edit_page(actor=author.user, page=Page.objects.get(), is_private=True)
        assert eve.get("/pages/ann").json()["is_private"] is False
        assert eve.post("/pages/ann/follow").json() == {"follow": "requested"}
        post = Post.objects.get()
        assert eve.post(f"/posts/{post.id}/like").status_code == 403
        answered = list(replica.answered)
    assert [sql for sql in answered if "FOR NO KEY" in sql] == []


def test_maintenance_is_looked_for_on_the_primary_and_reads_go_on(
    replica: Replica, watch: Watch, reader: Person
) -> None:
    with paused(replica, watch):
        maintenance.begin("A new version comes.")
        assert "A new version comes." in Client().get("/@ann").content.decode()
        assert contents(reader.get("/feed")) == ["Hello, world"]
        assert refusal(reader.post("/pages", {"name": "Mine"})) == (503, "maintenance")
        assert replica.answered
    assert not Session.objects.exclude(writes=0).exists()


# How late a replica is


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


def flushed(watch: Watch) -> None:
    """Looks at both when all that is committed has its place in the log."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SELECT pg_logical_emit_message(true, 'test', 'so far')")
        cursor.execute("RESET synchronous_commit")
    look(watch)


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
        port = connection.settings_dict["PORT"]
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "PORT", 1)
        try:
            stranger = Client(raise_request_exception=False)
            for _ in range(MOST_AWAY):
                with pytest.raises(OperationalError):
                    watch.look_at_primary()
                watch.look_at(REPLICA)
                assert stranger.get("/api/v1/pages/ann").status_code == 200
                clock.now += 1
            clock.now += 1
            watch.look_at(REPLICA)
            assert refusal(stranger.get("/api/v1/pages/ann")) == (503, "database_unavailable")
            # A session is read on the primary alone.
            assert refusal(author.get("/pages/ann")) == (503, "database_unavailable")
        finally:
            connection.settings_dict["PORT"] = port


# One that dies


def test_no_read_fails_while_a_replica_dies_and_comes_back(
    replica: Replica, watch: Watch, author: Person, reader: Person
) -> None:
    replica.catch_up()
    look(watch)
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
    wait_for(lambda: postgres.answers(replica.url))
    replica.catch_up()
    look(watch)
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


# Every route


def test_every_read_of_the_api_is_the_same_from_a_replica(
    replica: Replica, watch: Watch, settings: LazySettings
) -> None:
    """Which refuses all that writes. As an admin, who may read nearly everything."""
    admin = new_user("admin", role=User.Role.ADMIN)
    page = new_page(admin, uuid="ann", tags=["garden"])
    post = new_post(page)
    create_post(actor=admin, page=page, content="Yes", reply_to=post)
    follow(actor=new_user("bob"), page=page)
    person = Person(admin)
    values = {"uuid": "ann", "username": "bob", "id": post.id, "code": "none", "token": "none"}
    paths = [
        (route, query)
        for route in map(str, routes())
        if route.startswith("GET ")
        for query in [NEEDED.get(route, {}), *LISTS.get(route, [])]
    ]
    with paused(replica, watch):
        wrong: list[str] = []
        answers: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        for alias in ([REPLICA], []):
            settings.DATABASE_REPLICAS = alias
            caller, stranger = Client(headers=person.headers), Client()
            for route, query in paths:
                path = "/api/v1" + route.removeprefix("GET ").format(**values)
                for who, client in (("admin", caller), ("stranger", stranger)):
                    answer = client.get(path, query)
                    found = answer.status_code, answer.content
                    if answers.setdefault((who, path, str(query)), found) != found:
                        wrong.append(f"{who}: {path} {query}")
        assert_none(wrong)
        assert len(replica.answered) > 20


# Every write


@pytest.mark.usefixtures("aws")
def test_what_a_call_of_the_api_changes_is_changed_in_a_transaction(
    api_cast: test_permissions.Cast,
) -> None:
    """Whose end raises the number."""
    wrong = []
    for row in writing(test_permissions.rows()):
        for role in ("owner", "admin"):
            with rolled_back(), outside_of_transactions() as found:
                api_cast.call(row, role)
            wrong += [f"{row}, {role}: {sql}" for sql in found]
    assert_none(wrong)


@pytest.mark.usefixtures("aws")
def test_so_is_what_a_form_of_the_site_changes(site_cast: test_routes.Cast) -> None:
    wrong = []
    for row in writing(test_routes.rows()):
        for role in ("owner", "admin"):
            with rolled_back(), outside_of_transactions() as found:
                site_cast.call(row, role)
            wrong += [f"{row}, {role}: {sql}" for sql in found]
    assert_none(wrong)


def writing[R: (test_permissions.Row, test_routes.Row)](rows: Iterator[R]) -> Iterator[R]:
    """What may write; of reads test_maintenance.py says that they do not."""
    return (row for row in rows if not row.call.startswith("GET"))


# No read shows them: what limits count beforehand, pictures before a row names them, mails
# that wait, and challenges.
UNSEEN = re.compile(r"common_usage|media_picture|accounts_accountmail|accounts_challenge")


@contextmanager
def outside_of_transactions() -> Iterator[list[str]]:
    """The statements that write where only the test has begun one."""
    found: list[str] = []
    depth = len(connection.savepoint_ids)

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        writes = re.search(r"\b(INSERT INTO|UPDATE|DELETE FROM) ", sql)
        is_outside = len(connection.savepoint_ids) == depth
        if writes and is_outside and not UNSEEN.search(sql):
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield found
