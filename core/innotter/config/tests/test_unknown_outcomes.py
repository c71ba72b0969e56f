"""A commit that may be kept or lost is no success, and asked again it is one post."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.common.metrics import UNKNOWN_OUTCOMES
from innotter.common.outages import is_database_away, is_passing
from innotter.common.postgresql.base import CommitUnknown
from innotter.common.throttling import Use, consume
from innotter.conftest import Log, new_page, new_user, refusal
from innotter.posts.models import Post

pytestmark = pytest.mark.django_db(transaction=True)

# A commit that writes to the log of PostgreSQL, and no row.
WRITTEN = "SELECT pg_logical_emit_message(true, '', '')"
UNKNOWN = (503, "unknown_outcome")


@pytest.fixture
def client() -> Client:
    """Ann's, who has the page `ann`. Only her post commits: no write is counted."""
    page = new_page(new_user("ann"), uuid="ann")
    headers = {"Authorization": f"Bearer {mint_access_token(page.owner)}"}
    return Client(raise_request_exception=False, headers=headers)


@pytest.fixture
def post(client: Client, settings: Any) -> Callable[[], Any]:
    """Posts the same under the same key, and counts no write."""
    settings.LIMITS = {**settings.LIMITS, "writes": (0, 60)}
    headers = {"Idempotency-Key": "once"}
    body = {"content": "Hello."}
    return lambda: client.post("/api/v1/pages/ann/posts", body, "application/json", headers=headers)


def counted() -> float:
    return UNKNOWN_OUTCOMES._value.get()  # type: ignore[no-any-return]


@contextmanager
def another() -> Iterator["psycopg.Connection[Any]"]:
    parameters = {**connection.get_connection_params(), "autocommit": True}
    with psycopg.connect(**parameters) as other:
        yield other


@contextmanager
def canceling() -> Iterator[None]:
    """Every commit that waits for a replica is told to stop."""
    stop = Event()

    def cancel() -> None:
        with another() as other:
            while not stop.wait(0.01):
                other.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event = 'SyncRep'"
                )

    canceler = Thread(target=cancel)
    canceler.start()
    try:
        yield
    finally:
        stop.set()
        canceler.join()


@contextmanager
def a_replica_to_wait_for() -> Iterator[None]:
    """Of whom nobody has heard. Only commits of this connection wait for it; they are canceled."""
    with canceling(), another() as other:
        notices: list[Any] = []
        other.add_notice_handler(notices.append)
        other.execute("SET synchronous_commit = on")

        def waits() -> bool:
            notices.clear()
            other.execute(WRITTEN)
            return bool(notices)

        other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try:
            other.execute("SELECT pg_reload_conf()")
            while not waits():
                pass
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = on")
            yield
        finally:
            other.execute("ALTER SYSTEM RESET synchronous_standby_names")
            other.execute("SELECT pg_reload_conf()")
            while waits():
                pass
            connection.close()


@contextmanager
def cut(words: bytes, *, arrives: bool, after: bytes = b"") -> Iterator[None]:
    """A connection whose server is gone once these words were sent after those: they have arrived
    there and the answer is lost, or they have not."""
    own = connection.settings_dict
    connection.close()
    with ExitStack() as end, socket.create_server(("127.0.0.1", 0)) as proxy:
        server = end.enter_context(socket.create_connection((own["HOST"], own["PORT"])))

        def carry() -> None:
            client = end.enter_context(proxy.accept()[0])
            back = Thread(target=_carry, args=[server, client])
            back.start()
            seen = not after
            while (sent := client.recv(65536)) and not (seen and words in sent):
                seen = seen or after in sent
                server.sendall(sent)
            client.shutdown(socket.SHUT_RDWR)
            if arrives:
                server.sendall(sent)
                # Until the server has done it, and is told of the end.
                server.shutdown(socket.SHUT_WR)
            else:
                server.shutdown(socket.SHUT_RDWR)
            back.join()

        carrier = Thread(target=carry)
        carrier.start()
        connection.settings_dict = {**own, "HOST": "127.0.0.1", "PORT": proxy.getsockname()[1]}
        try:
            yield
        finally:
            connection.settings_dict = own
            connection.close()
            carrier.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Reads to the end, also what nobody takes any more."""
    while data := source.recv(65536):
        try:
            sink.sendall(data)
        except OSError:
            continue


def test_a_commit_that_no_replica_has_confirmed(post: Callable[[], Any], log: Log) -> None:
    before = counted()
    with a_replica_to_wait_for():
        answer = post()
        assert refusal(answer) == UNKNOWN
        assert int(answer["Retry-After"]) > 0
        # Nor is what it finds there, as long as no replica has it.
        assert refusal(post()) == UNKNOWN
    assert counted() - before == 2
    assert [line["event"] for line in log()].count("unknown_outcome") == 2
    again, once_more = post(), post()
    assert (again.status_code, once_more.status_code) == (201, 201)
    assert [str(post.id) for post in Post.objects.all()] == [again.json()["id"]]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_whose_answer_is_lost(post: Callable[[], Any], arrives: bool) -> None:
    before = counted()
    with cut(b"COMMIT", arrives=arrives, after=b'INSERT INTO "posts_post"'):
        assert refusal(post()) == UNKNOWN
    assert counted() - before == 1
    assert Post.objects.count() == arrives
    assert post().status_code == 201
    assert Post.objects.count() == 1


def test_a_write_that_commits_by_itself(client: Client) -> None:
    before = counted()
    with a_replica_to_wait_for(), pytest.raises(CommitUnknown):
        User.objects.update(title="Ann")
    with cut(b"INSERT INTO common_usage", arrives=True), pytest.raises(CommitUnknown):
        consume(Use("writes", "ann"))
    assert counted() - before == 2


def test_what_is_lost_before_it_commits_is_known(post: Callable[[], Any], client: Client) -> None:
    before = counted()
    with cut(b'INSERT INTO "posts_post"', arrives=True):
        assert refusal(post()) == (503, "database_unavailable")
    with cut(b"SELECT", arrives=True):
        assert refusal(client.get("/api/v1/tags?q=x")) == (503, "database_unavailable")
    assert (counted() - before, Post.objects.count()) == (0, 0)


def test_for_tasks_it_is_a_passing_failure() -> None:
    with (
        a_replica_to_wait_for(),
        pytest.raises(CommitUnknown) as found,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(WRITTEN)
    assert is_database_away(found.value)
    assert is_passing(found.value)
