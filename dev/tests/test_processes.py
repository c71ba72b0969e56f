"""No child outlives its supervisor, and no death goes unnoticed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.assertions import wait_until
from dev.errors import Failed
from dev.paths import ROOT
from dev.processes import Console, Processes

# A parent and a child that both refuse to end politely.
STUBBORN = ["sh", "-c", "trap '' TERM; (trap '' TERM; sleep 300) & echo child $!; wait; wait"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    processes.stop()


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def child_in(log: Path) -> int:
    """The process id that STUBBORN has written."""
    wait_until(lambda: log.exists() and log.read_text().startswith("child "))
    return int(log.read_text().split()[1])


def test_a_death_is_noticed_and_a_new_start_helps(processes: Processes) -> None:
    process = processes.start("sleeper", ["sleep", "300"], env={})
    assert processes.dead() == []
    process.kill()
    assert processes.dead() == [process]
    assert process.exit_code == -signal.SIGKILL
    process.start()
    assert processes.dead() == []


def test_one_that_dies_before_it_is_ready_fails_with_the_end_of_its_log(
    processes: Processes,
) -> None:
    process = processes.start("broken", ["sh", "-c", "echo no such luck; exit 3"], env={})
    with pytest.raises(Failed, match=r"(?s)broken ended with code 3.*no such luck"):
        process.wait_until(lambda: False, seconds=20)


def test_one_that_is_never_ready_fails_in_time(processes: Processes) -> None:
    process = processes.start("slow", ["sleep", "300"], env={})
    with pytest.raises(Failed, match="slow was not ready"):
        process.wait_until(lambda: False, seconds=0.1)


def test_a_command_that_ends_badly_fails(processes: Processes) -> None:
    processes.run("good", ["true"], env={}, seconds=20)
    with pytest.raises(Failed, match="bad ended with code 1"):
        processes.run("bad", ["false"], env={}, seconds=20)


def test_stop_leaves_nothing_of_a_group_behind(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dev.processes.STOP_BOUND", 0.2)
    process = processes.start("stubborn", STUBBORN, env={})
    child = child_in(tmp_path / "stubborn.log")
    processes.stop()
    assert not runs(process.pid)
    wait_until(lambda: not runs(child))


def test_nothing_starts_once_all_is_stopped(processes: Processes) -> None:
    processes.stop()
    with pytest.raises(Failed, match="late was not started"):
        processes.start("late", ["sleep", "300"], env={})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_their_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "import pathlib, sys, time; from dev.processes import Processes;"
        "processes = Processes(pathlib.Path(sys.argv[1]));"
        "processes.start('parent', ['sh', '-c', 'sleep 300 & echo child $!; wait'], env={});"
        "time.sleep(300)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program, tmp_path], cwd=ROOT)
    child = child_in(tmp_path / "parent.log")
    assert runs(child)
    supervisor.send_signal(number)
    supervisor.wait()
    wait_until(lambda: not runs(child))


def test_the_console_shows_whose_line_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console()
    processes = Processes(tmp_path, console)
    processes.run("before", ["echo", "unseen"], env={}, seconds=20)
    console.open = True
    processes.run("core", ["echo", "hello"], env={}, seconds=20)
    assert capsys.readouterr().out == "core     | hello\n"
    assert (tmp_path / "before.log").read_text() == "unseen\n"
