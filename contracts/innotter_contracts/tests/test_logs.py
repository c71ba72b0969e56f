import json
import logging
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Literal

import pytest
import structlog

from innotter_contracts.logs import configure_logs, current_request_id, request_id_from


def test_a_callers_request_id_is_kept() -> None:
    assert request_id_from("abc-123.DEF_456") == "abc-123.DEF_456"


@pytest.mark.parametrize("header", [None, "", "short", "x" * 65, "with space here", "line\nbreak1"])
def test_anything_else_gets_a_new_id(header: str | None) -> None:
    made = request_id_from(header)
    assert made != header
    assert request_id_from(made) == made


def test_a_line_says_what_it_is_about_and_which_request_it_belongs_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(service="test", style="json")
    with structlog.contextvars.bound_contextvars(request_id="request-1"):
        assert current_request_id() == "request-1"
        structlog.get_logger("ours").info("counted", events=3)
        logging.getLogger("theirs").warning("careful", extra={"n": 1})
    assert current_request_id() is None
    ours, theirs = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert ours["event"] == "counted"
    assert ours["events"] == 3
    assert theirs["event"] == "careful"
    assert theirs["n"] == 1
    for line in (ours, theirs):
        assert line["service"] == "test"
        assert line["request_id"] == "request-1"


def test_loggers_made_before_and_after_say_what_is_configured_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = structlog.get_logger("ours")
    configure_logs(service="none", style="json", level="ERROR")
    log.info("unsaid")
    configure_logs(service="first", style="console")
    log.info("said")
    configure_logs(service="second", style="json")
    log.info("said", n=1)
    log.debug("unsaid")
    console, line = capsys.readouterr().out.splitlines()
    assert "service=first" in console
    assert json.loads(line)["service"] == "second"


def test_a_line_that_cannot_be_written_is_no_error() -> None:
    with redirect_stdout(StringIO()) as full:
        configure_logs(service="test", style="json")
    full.close()
    structlog.get_logger("ours").info("unheard")


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_trace_shows_no_values(
    style: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(service="test", style=style)
    password = "hush"
    try:
        len(password) / 0
    except ZeroDivisionError:
        structlog.get_logger("ours").exception("failed")
    lines = capsys.readouterr().out
    assert "ZeroDivisionError" in lines
    assert "hush" not in lines


JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLWFubg"
SECRETS = [
    {"password": "hunter2"},
    {"current_password": "hunter2"},
    {"refresh": "hunter2"},
    {"access_token": "hunter2"},
    {"Authorization": "hunter2"},
    {"cookie": "hunter2"},
    {"header": "Bearer hunter2"},
    {"header": "Basic hunter2=="},
    {"url": "amqp://innotter:hunter2@broker:5672//"},
    {"error": "could not connect to postgresql://core:hunter2@db/innotter"},
    {"path": "/api/v1/unsubscribe/hunter2:1x:y"},
    {"body": '{"login": "ann", "password": "hunter2"}'},
    {"body": {"login": "ann", "password": "hunter2"}},
    {"call": "log_in(login='ann', password='hunter2')"},
    {"text": JWT.replace("c2lnbmF0dXJlLW9mLWFubg", "hunter2")},
]


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("fields", SECRETS, ids=str)
def test_no_line_shows_a_secret(
    capsys: pytest.CaptureFixture[str], style: Literal["json", "console"], fields: dict[str, Any]
) -> None:
    configure_logs(service="test", style=style)
    structlog.get_logger("test").info("said", **fields)
    logging.getLogger("library").warning("said %s", fields)
    try:
        raise ValueError(fields)
    except ValueError:
        structlog.get_logger("test").exception("raised")
    out = capsys.readouterr().out
    assert out.count("[secret]") >= 2
    assert "hunter2" not in out


def test_what_is_no_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(service="test", style="json")
    fields = {
        "user": "01a214c6-904c-7542-91ca-074a192bb620",
        "path": "/api/v1/pages/tokens/posts",
        "url": "http://localhost:8000/.well-known/jwks.json",
        "event_id": "01a214c6-904c-7542-91ca-074a192bb621",
        "task": "innotter.accounts.prune_sessions",
        "password": None,
    }
    structlog.get_logger("test").info("said", **fields)
    line = json.loads(capsys.readouterr().out)
    assert {name: line[name] for name in fields} == fields
