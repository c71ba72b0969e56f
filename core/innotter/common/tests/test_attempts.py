from threading import Event, Thread

import psycopg
import pytest
from django.db import connections
from django.db.backends.postgresql import base

from innotter.common.postgresql import attempts as module
from innotter.common.postgresql.attempts import Attempts


def fail(attempts: Attempts) -> None:
    with pytest.raises(psycopg.OperationalError, match="silent"), attempts.attempt():
        raise psycopg.OperationalError("silent")


def test_while_one_asks_a_server_that_is_away_the_others_fail_at_once() -> None:
    attempts, begun, end = Attempts(), Event(), Event()

    def ask() -> None:
        with attempts.attempt():
            begun.set()
            end.wait(10)

    fail(attempts)
    asking = Thread(target=ask)
    asking.start()
    assert begun.wait(10)
    with pytest.raises(psycopg.OperationalError, match="another thread"), attempts.attempt():
        raise AssertionError
    end.set()
    asking.join(10)
    # It answered: everybody may connect, and at the same time.
    with attempts.attempt(), attempts.attempt():
        pass


def test_the_next_asks_again_when_one_has_failed() -> None:
    attempts = Attempts()
    fail(attempts)
    fail(attempts)
    with attempts.attempt():
        pass


def test_a_server_that_was_there_is_asked_by_all() -> None:
    attempts = Attempts()
    with attempts.attempt(), attempts.attempt():
        pass


def test_the_backend_asks_so_by_server(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = Event(), Event()

    def ask_silent_server(self: base.DatabaseWrapper, params: dict[str, str]) -> None:
        if params["from"] == "the second":
            begun.set()
            end.wait(10)
        raise psycopg.OperationalError("silent")

    monkeypatch.setattr(module, "_attempts", {})
    monkeypatch.setattr(base.DatabaseWrapper, "get_new_connection", ask_silent_server)

    def connect(who: str, alias: str = "default") -> None:
        wrapper = connections["default"].copy(alias)
        wrapper.get_new_connection({"from": who})

    def connect_in_vain(who: str) -> None:
        with pytest.raises(psycopg.OperationalError, match="silent"):
            connect(who)

    connect_in_vain("the first")
    asking = Thread(target=connect_in_vain, args=("the second",))
    asking.start()
    assert begun.wait(10)
    with pytest.raises(psycopg.OperationalError, match="another thread"):
        connect("the third")
    with pytest.raises(psycopg.OperationalError, match="silent"):
        connect("the third", alias="replica-1")
    end.set()
    asking.join(10)
