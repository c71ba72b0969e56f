"""Which Python the project is made with."""

import platform
import sys
from pathlib import Path

import pytest

from dev import bootstrap


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH and an empty home."""
    for folder in ("bin", "home"):
        (tmp_path / folder).mkdir()
    # The shebang's interpreter is the only real program of these machines.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def python(file: Path, answer: str) -> str:
    """A program that answers like a Python of that version; empty: like a shim to nowhere."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {answer}\n" if answer else "#!/bin/sh\nexit 127\n")
    file.chmod(0o755)
    return str(file)


def test_the_newest_one_wins_wherever_it_is(machine: Path) -> None:
    python(machine / "bin/python3.13", "3.13")
    newest = python(machine / "home/.pyenv/versions/3.14.2/bin/python", "3.14")
    assert bootstrap.newest_python() == newest


def test_of_the_same_version_the_one_on_path_wins(machine: Path) -> None:
    python(machine / "home/.pyenv/versions/3.13.9/bin/python", "3.13")
    on_path = python(machine / "bin/python3.13", "3.13")
    assert bootstrap.newest_python() == on_path


def test_pyenvs_newest_patch_wins_by_number_not_by_letter(machine: Path) -> None:
    python(machine / "home/.pyenv/versions/3.13.9/bin/python", "3.13")
    newest = python(machine / "home/.pyenv/versions/3.13.10/bin/python", "3.13")
    assert bootstrap.newest_python() == newest


def test_a_name_proves_nothing(machine: Path) -> None:
    python(machine / "bin/python3.15", "")
    python(machine / "bin/python3.14", "3.9")
    unnamed = python(machine / "bin/python3", "3.13")
    assert bootstrap.newest_python() == unnamed


def test_none_that_fits_is_said_in_words(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python(machine / "bin/python3", "3.12")
    assert bootstrap.make() == 1
    assert "3.13, 3.14, 3.15" in capsys.readouterr().err


def test_uv_brings_one_where_there_is_none(machine: Path) -> None:
    brought = python(machine / "elsewhere/python", "3.15")
    python(machine / "bin/uv", brought)
    assert bootstrap.python_from_uv() == brought


def test_this_python_is_known_for_what_it_is() -> None:
    assert bootstrap.version_of(sys.executable) == platform.python_version().rpartition(".")[0]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose environment was just made."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(bootstrap, "INGREDIENTS", ["poetry.lock"])
    (tmp_path / "poetry.lock").write_text("one")
    python(tmp_path / ".venv/bin/python", "3.13")
    bootstrap.write_stamp()
    return tmp_path


def test_what_is_made_is_not_made_again(made: Path) -> None:
    assert bootstrap.is_current()


def test_another_lock_file_makes_it_anew(made: Path) -> None:
    (made / "poetry.lock").write_text("two")
    assert not bootstrap.is_current()
    assert not bootstrap.moved()


def test_a_python_that_is_gone_makes_it_anew(made: Path) -> None:
    (made / ".venv/bin/python").unlink()
    assert not bootstrap.is_current()


def test_a_copied_folder_makes_it_anew(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", made.rename(made.with_name("copy")))
    monkeypatch.setattr(bootstrap, "STAMP", made.with_name("copy") / "stamp.json")
    assert not bootstrap.is_current()
    assert bootstrap.moved()
