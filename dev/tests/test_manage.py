"""`make manage` runs a command in the environment of the last `make run`."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dev import run, settings
from dev.errors import Failed


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / "secrets" / "environment.json")
    return run.ENVIRONMENT


def test_it_has_the_settings_of_that_run_and_nothing_else_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = {"DATABASE_URL": "postgresql://ours", "AWS_REGION": "x", "HOME": "/ours", "PAGER": "cat"}
    settings.record(ran, file)
    became: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *what: became.extend(what))
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs")
    monkeypatch.setenv("HOME", "/theirs")
    run.manage(["promote", "ann"])
    _, command, env = became
    assert command[-2:] == ["promote", "ann"]
    assert (env["DATABASE_URL"], env["AWS_REGION"]) == ("postgresql://ours", "x")
    assert env["HOME"] == "/theirs"
    assert "PAGER" not in settings.recorded(file)


def test_what_is_kept_of_it_is_for_its_owners_eyes(file: Path) -> None:
    for _ in range(2):
        settings.record({"SECRET_KEY": "hunter2"}, file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_where_nothing_ever_ran_it_says_so(file: Path) -> None:
    with pytest.raises(Failed, match="begin with `make run`"):
        run.manage(["promote", "ann"])
