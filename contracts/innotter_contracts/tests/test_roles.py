"""Roles that are forked from one process, as its operator meets them: by their pids and signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

# Each role appends its pid to the file of its name, and waits; the words say what else it does.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from innotter_contracts import roles
from innotter_contracts.logs import configure_logs

configure_logs(service="test", style="json")
roles.STOP_BOUND = 1

def role(name, *words):
    def run():
        if "stubborn" in words:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "fork" in words and os.fork() == 0:
            name_of_fork = name + "-fork"
            Path(name_of_fork).open("a").write(f"{os.getpid()}\\n")
            time.sleep(60)
        Path(name).open("a").write(f"{os.getpid()}\\n")
        if "ends" in words:
            raise SystemExit("Nothing to do.")
        time.sleep(60)
    return run

roles.run_roles({word.split(":")[0]: role(*word.split(":")) for word in sys.argv[1:]})
"""


class Family:
    def __init__(self, folder: Path, parent: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self.parent = parent

    def pids(self, role: str) -> list[int]:
        """All that it has had, the newest last."""
        file = self._folder / role
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def started(self, role: str, times: int = 1) -> int:
        """Waits until the role has started so often; its pid."""
        until(lambda: len(self.pids(role)) >= times)
        return self.pids(role)[-1]

    def said(self, event: str) -> list[dict[str, object]]:
        lines = (self._folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if f'"event": "{event}"' in line]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def family(folder: Path, *roles: str) -> Iterator[Family]:
    with (folder / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *roles],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Family(folder, parent)
    finally:
        parent.kill()
        parent.wait()


def test_the_death_of_a_role_is_nobodys_but_its_own(tmp_path: Path) -> None:
    with family(tmp_path, "relay", "worker") as each:
        relay, worker = each.started("relay"), each.started("worker")
        os.kill(worker, signal.SIGKILL)
        assert each.started("worker", times=2) != worker
        assert each.pids("relay") == [relay]
        assert not is_gone(relay)
    [line] = each.said("role_ended")
    assert (line["role"], line["code"]) == ("worker", -signal.SIGKILL)


def test_a_role_that_dies_of_its_start_is_started_ever_more_rarely(tmp_path: Path) -> None:
    with family(tmp_path, "relay", "worker:ends") as each:
        until(lambda: len(each.said("role_ended")) >= 3)
        waits = [float(str(line["starts_in"])) for line in each.said("role_ended")]
        # Of one, two and four seconds, cut by up to a half.
        assert waits[0] <= 1 <= waits[1] <= 2 <= waits[2]
        assert not is_gone(each.started("relay"))
    log = (tmp_path / "log").read_text()
    assert "Nothing to do." in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_them(tmp_path: Path, number: signal.Signals) -> None:
    with family(tmp_path, "relay", "worker") as each:
        pids = [each.started("relay"), each.started("worker")]
        each.parent.send_signal(number)
        assert each.parent.wait(10) == 0
        assert all(map(is_gone, pids))


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with family(tmp_path, "relay", "worker:stubborn") as each:
        each.started("relay")
        worker = each.started("worker")
        each.parent.terminate()
        assert each.parent.wait(10) == 1
        assert is_gone(worker)
    assert [line["role"] for line in each.said("role_killed")] == ["worker"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process of its parent")
def test_nobody_outlives_who_has_forked_it(tmp_path: Path) -> None:
    with family(tmp_path, "relay", "api:fork") as each:
        relay, api, fork = each.started("relay"), each.started("api"), each.started("api-fork")
        os.kill(api, signal.SIGKILL)
        until(lambda: is_gone(fork))
        api, fork = each.started("api", times=2), each.started("api-fork", times=2)
        each.parent.kill()
        until(lambda: all(map(is_gone, (relay, api, fork))))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_operator_sees_them_by_name(tmp_path: Path) -> None:
    with family(tmp_path, "relay", "worker") as each:
        for role in ("relay", "worker"):
            pid = each.started(role)
            assert Path(f"/proc/{pid}/comm").read_text().strip() == role
