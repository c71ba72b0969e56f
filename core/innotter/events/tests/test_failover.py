"""A primary that is replaced: another takes its place, and it takes no writes any more, while all
connections to it live on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test import Client
from kombu import Connection

from dev import postgres
from dev.ports import Port
from dev.processes import Processes
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import new_page, new_user, refusal
from innotter.events import relay
from innotter.events.tests.test_relay import running, until, waiting
from innotter.posts.models import Post

pytestmark = pytest.mark.django_db(transaction=True)

PROMOTE = "SELECT pg_promote()"
DEMOTE = "ALTER SYSTEM SET default_transaction_read_only = on"
# Whom the relay has to hear: more than once in this time nobody looks by himself.
LONG = 3600


class Servers:
    """Two, of which the second follows the first; and how `DATABASE_URL` names them both."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        options = {**postgres.FORGETFUL, "wal_retrieve_retry_interval": "100ms"}
        origin, self.urls = os.environ["DATABASE_URL"], list[str]()
        for _ in range(2):
            data = folder / str(len(self.urls))
            origin = postgres.start_replica(processes, data, Port(), origin, options)
            if not self.urls:
                self.ask(origin, PROMOTE)
            self.urls.append(origin)

    def ask(self, url: str, *statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement)

    def settings(self) -> dict[str, Any]:
        own = connections.settings[DEFAULT_DB_ALIAS]
        ports = [str(urlsplit(url).port) for url in self.urls]
        options = {**own["OPTIONS"], "target_session_attrs": "read-write"}
        hosts = {"HOST": "127.0.0.1,127.0.0.1", "PORT": ",".join(ports)}
        return {**own, **hosts, "OPTIONS": options}


@contextmanager
def two_servers(folder: Path) -> Iterator[Servers]:
    processes = Processes(folder / "logs")
    own = connections.settings[DEFAULT_DB_ALIAS]
    try:
        servers = Servers(processes, Path(os.environ["TEST_LOGS"]).parent / folder.name)
        connection.close()
        connections.settings[DEFAULT_DB_ALIAS] = connection.settings_dict = servers.settings()
        yield servers
    finally:
        connection.close()
        connections.settings[DEFAULT_DB_ALIAS] = connection.settings_dict = own
        processes.stop()


def test_writes_go_to_the_new_primary_and_the_relay_listens_there(
    amqp_url: str, broker: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.1)
    with two_servers(tmp_path) as servers:
        first, second = servers.urls
        owner = new_page(new_user("ann"), uuid="ann").owner
        headers = {"Authorization": f"Bearer {mint_access_token(owner)}"}
        client = Client(raise_request_exception=False, headers=headers)

        def post(words: str) -> Any:
            body = {"content": words}
            return client.post("/api/v1/pages/ann/posts", body, "application/json")

        with running(amqp_url):
            assert post("At the first.").status_code == 201
            until(lambda: waiting() == 0)
            postgres.catch_up(first, second)
            servers.ask(second, PROMOTE)
            servers.ask(first, DEMOTE, "SELECT pg_reload_conf()")
            until(lambda: not takes_writes(first))
            refused = post("Nowhere.")
            assert refusal(refused) == (503, "database_unavailable")
            assert int(refused["Retry-After"]) > 0
            assert post("At the second.").status_code == 201
            until(lambda: waiting() == 0)
            # From now on it publishes what it is told of, and nothing else.
            monkeypatch.setattr(relay, "POLL_SECONDS", LONG)
            assert post("And heard.").status_code == 201
            until(lambda: waiting() == 0)
        assert connection.connection.info.port == urlsplit(second).port
        assert {each.content for each in Post.objects.all()} == {
            "At the first.",
            "At the second.",
            "And heard.",
        }


def takes_writes(url: str) -> bool:
    with psycopg.connect(url) as server:
        return server.execute("SHOW transaction_read_only").fetchone() == ("off",)


def test_a_connection_to_a_server_that_takes_no_writes_is_left(amqp_url: str) -> None:
    """By tasks too, whose threads keep theirs."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.errors_occurred = True
    connection.close_if_unusable_or_obsolete()
    assert connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    connection.errors_occurred = True
    connection.close_if_unusable_or_obsolete()
    assert connection.connection is None
