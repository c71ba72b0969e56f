import json
import logging
from typing import Literal

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
