"""What a pooler between the core and PostgreSQL must not break."""

import ast
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections

from innotter.common.compiled import fetched
from innotter.common.postgresql import connect_directly
from innotter.common.postgresql.base import ONE_PLAN
from innotter.common.postgresql.lease import HOLD
from innotter.config import roles

CORE = Path(__file__).parents[2]
# What a connection keeps when its transaction has ended.
STATE = re.compile(
    r"^\s*(?:SET(?! LOCAL | TRANSACTION )\s+[a-z_ ]|RESET |LISTEN |DECLARE |PREPARE |CREATE TEMP)"
    r"|WITH HOLD|pg_(?:try_)?advisory_lock|set_config\([^)]*false\s*\)",
)


def statements() -> Iterator[tuple[str, str]]:
    """Every text in the code that runs for requests and tasks, with its file."""
    for file in CORE.rglob("*.py"):
        if not {"tests", "migrations", "management"} & {*file.parts}:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield file.relative_to(CORE).as_posix(), node.value


def test_only_the_relay_and_the_scheduler_keep_something_on_a_connection() -> None:
    found = {(file, text.strip()) for file, text in statements() if STATE.search(text)}
    assert found == {
        ("events/relay.py", "LISTEN"),
        ("common/postgresql/lease.py", HOLD.strip()),
        # Where there is no pooler.
        ("common/postgresql/base.py", ONE_PLAN),
    }


@pytest.fixture
def another_server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_DIRECT_URL leads to a host of another name."""
    own = connections.settings[DEFAULT_DB_ALIAS]
    monkeypatch.setitem(connections.settings, DEFAULT_DB_ALIAS, {**own})
    settings.DIRECT_DATABASE = {**own, "HOST": "direct"}
    monkeypatch.setattr(connections, "close_all", lambda: None)


def test_the_relay_goes_past_the_pooler(
    another_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[str] = []
    for name in ("run_relay", "serve_metrics"):
        module = "innotter.events.relay" if name == "run_relay" else "innotter.common.metrics"
        monkeypatch.setattr(
            f"{module}.{name}",
            lambda *_, **__: hosts.append(connections.settings[DEFAULT_DB_ALIAS]["HOST"]),
        )
    monkeypatch.setattr("signal.signal", lambda *_: None)
    roles.relay()
    assert hosts == ["direct", "direct"]


def test_so_does_the_scheduler_which_keeps_a_lock(
    another_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[str] = []
    monkeypatch.setattr(
        "innotter.config.celery.keep_time",
        lambda: hosts.append(connections.settings[DEFAULT_DB_ALIAS]["HOST"]),
    )
    roles.scheduler()
    assert hosts == ["direct"]


def test_without_a_direct_url_nothing_changes(settings: Any) -> None:
    settings.DIRECT_DATABASE = None
    before = {**connections.settings[DEFAULT_DB_ALIAS]}
    connect_directly()
    assert connections.settings[DEFAULT_DB_ALIAS] == before


def test_so_do_commands_and_other_roles_do_not_nor_have_they_cursors_of_a_server() -> None:
    code = "import sys; from innotter.config import command_line as c; from django.db import *;"
    code += "c.execute_from_command_line = lambda argv: None; c.main(sys.argv);"
    code += "s = connection.settings_dict;"
    code += "print(s['HOST'], s['DISABLE_SERVER_SIDE_CURSORS'])"
    env = {**os.environ, "PYTHONPATH": str(CORE.parent), "DATABASE_URL": "postgresql://pooled/x"}
    env["DATABASE_DIRECT_URL"] = "postgresql://direct/x"

    def said(*argv: str) -> str:
        command = [sys.executable, "-c", code, *argv]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert said("migrate") == "direct False\n"
    assert said("run", "api") == "pooled True\n"


@contextmanager
def pooled() -> Iterator[None]:
    """Through somebody who tells of a process number that isn't the server's, as poolers do."""
    own = connection.settings_dict
    connection.close()
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def carry() -> None:
            client, _ = proxy.accept()
            with client, socket.create_connection((own["HOST"], own["PORT"])) as server:
                back = Thread(target=_carry, args=[server, client])
                back.start()
                while sent := client.recv(65536):
                    server.sendall(sent)
                server.shutdown(socket.SHUT_WR)
                back.join()

        carrier = Thread(target=carry)
        carrier.start()
        connection.settings_dict = {**own, "HOST": "127.0.0.1", "PORT": proxy.getsockname()[1]}
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict = own
            carrier.join()


def _carry(server: socket.socket, client: socket.socket) -> None:
    """BackendKeyData: K, its length, a number and a key."""
    key = re.compile(rb"K\x00\x00\x00\x0c....", re.DOTALL)
    while data := server.recv(65536):
        client.sendall(key.sub(b"K\x00\x00\x00\x0c\x7f\xff\xff\xff", data, 1))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_prepared_where_a_pooler_forgets_it() -> None:
    count = "SELECT count(*) FROM pg_prepared_statements WHERE name <> %s"
    with pooled():
        assert fetched(count, ["x"]) == fetched(count, ["x"]) == [(0,)]
    assert fetched(count, ["x"]) == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_what_is_prepared_has_one_plan() -> None:
    """Left to itself PostgreSQL makes one for each of the first five calls, and may go on so."""
    for count in range(10):
        assert (
            fetched("SELECT 1 FROM generate_series(1, %s::int) AS planned", [count])
            == [(1,)] * count
        )
    plans = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE %s"
    assert fetched(plans, ["%AS planned"]) == [(0, 10)]
    with pooled():
        assert fetched("SHOW plan_cache_mode", []) == [("auto",)]
