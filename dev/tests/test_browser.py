"""Where a browser comes from. That it then shows pages, the tests that need one say."""

from pathlib import Path

import pytest

from dev import tools
from dev.errors import Failed


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH, an empty home and nothing downloaded."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.setattr(tools, "TOOLS", tmp_path / "tools")
    return tmp_path


def program(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_one_that_is_named_wins_then_path_then_playwrights(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_playwright = machine / "home/.cache/ms-playwright"
    program(by_playwright / "chromium-999/chrome-linux/chrome")
    newest = program(by_playwright / "chromium-1234/chrome-linux64/chrome")
    assert tools.chromium() == newest
    on_path = program(machine / "bin/google-chrome")
    assert tools.chromium() == on_path
    named = program(machine / "mine/chrome")
    monkeypatch.setenv("CHROMIUM", str(named))
    assert tools.chromium() == named


def test_a_name_that_is_no_program_is_told_and_no_other_is_taken(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(machine / "bin/chromium")
    monkeypatch.setenv("CHROMIUM", str(machine / "mine/chrome"))
    with pytest.raises(Failed, match="CHROMIUM="):
        tools.chromium()


@pytest.mark.usefixtures("machine")
def test_where_none_can_be_fetched_one_is_told_what_to_do() -> None:
    with pytest.raises(Failed, match="playwright install chromium"):
        tools.chromium()


def test_a_browser_that_does_not_run_is_not_kept(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt-get and dpkg-deb that do nothing: the browser's folder is empty."""
    for name in ("apt-get", "dpkg-deb"):
        program(machine / "bin" / name)
    with pytest.raises(Failed, match="start"):
        tools.chromium()
    assert not (machine / "tools/chromium").exists()
