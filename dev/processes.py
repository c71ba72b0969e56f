"""Supervised child processes: each in a process group of its own, with its log in a file.

No child outlives its supervisor. `Processes.stop` ends them in good order; if the supervisor
is killed instead, the guard (guard.py) sees its pipe close and ends them.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dev.errors import Failed
from dev.paths import ROOT

# Seconds from the polite signal to SIGKILL.
STOP_BOUND = 15
# Seconds to wait for the killed. A group may never seem to end: where process 1 does not
# collect its dead, they stay as zombies.
KILL_BOUND = 2


class Stopping(Failed):
    """The processes are being stopped while something was still being started."""


class Console:
    """One screen for the lines of all processes: a column of names, then what they say."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = False

    def write(self, name: str, line: str) -> None:
        if self.open:
            with self._lock:
                print(f"{name:<9}| {line}", flush=True)


class Process:
    """One command; may be started again after its death."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path,
        console: Console | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stopping: threading.Event | None = None,
    ) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._env = dict(env)
        self.log = log
        self._console = console
        self._stop_signal = stop_signal
        self._stopping = stopping or threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        return self._running_child().pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._running_child().poll()

    def start(self) -> None:
        if self._stopping.is_set():
            raise Stopping(f"{self.name} was not started: everything is being stopped.")
        self._child = subprocess.Popen(
            self._command,
            env=self._env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _guard.write(f"+{self._child.pid}\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Raises Failed, with the end of the log, when it dies first or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._stopping.is_set():
                raise Stopping(f"{self.name} was stopped before it was ready.")
            if self.exit_code is not None:
                raise self.failure(f"ended with code {self.exit_code}")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready in {seconds:.0f} seconds")
            time.sleep(0.05)

    def wait(self, *, seconds: float) -> None:
        """Waits for its end. Raises Failed unless it ends well."""
        self.wait_until(lambda: self.exit_code == 0, seconds=seconds)
        self._forget()

    def stop(self) -> None:
        """The polite signal first; SIGKILL for whatever is left of the group."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_BOUND)
        self.kill()

    def send(self, number: signal.Signals) -> None:
        """To the process alone and not to its group."""
        self._running_child().send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when none of it runs any more."""
        child = self._running_child()
        deadline = time.monotonic() + KILL_BOUND
        while _kill_group(child.pid) and time.monotonic() < deadline:
            child.poll()
            time.sleep(0.01)
        child.wait()
        self._forget()

    def failure(self, what: str) -> Failed:
        """An error that shows the end of the log."""
        if self._reader and self.exit_code is not None:
            self._reader.join(timeout=1)
        with self.log.open(errors="replace") as log:
            end = "".join(f"    {line}" for line in deque(log, maxlen=20))
        return Failed(f"{self.name} {what}. The end of {self.log}:\n{end}")

    def _forget(self) -> None:
        _guard.write(f"-{self._running_child().pid}\n")
        if self._reader:
            self._reader.join(timeout=1)

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child

    def _read(self) -> None:
        child = self._running_child()
        assert child.stdout is not None
        with child.stdout, self.log.open("ab") as log:
            for line in child.stdout:
                log.write(line)
                log.flush()
                if self._console:
                    self._console.write(self.name, line.decode(errors="replace").rstrip())


class Processes:
    """The children of one supervisor that are stopped together."""

    def __init__(self, logs: Path, console: Console | None = None) -> None:
        self._logs = logs
        self._console = console
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.by_name: dict[str, Process] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        """A name that was there before goes on in the same log."""
        log = self._logs / f"{name}.log"
        if name not in self.by_name:
            log.write_bytes(b"")
        process = Process(
            name,
            command,
            env=env,
            log=log,
            console=self._console,
            stop_signal=stop_signal,
            stopping=self._stopping,
        )
        with self._lock:
            process.start()
            self.by_name[name] = process
        return process

    def run(
        self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], seconds: float
    ) -> None:
        """Runs a command to its end. Raises Failed unless it ends well."""
        process = self.start(name, command, env=env)
        process.wait(seconds=seconds)
        del self.by_name[name]

    def stop(self) -> None:
        """Stops all at the same time. Nothing can be started here afterwards."""
        self._stopping.set()
        with self._lock:
            processes = list(self.by_name.values())
        if processes:
            with ThreadPoolExecutor(len(processes)) as pool:
                list(pool.map(Process.stop, processes))

    def dead(self) -> list[Process]:
        return [process for process in self.by_name.values() if process.exit_code is not None]


def _kill_group(group: int) -> bool:
    """Whether there still was such a group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class _Guard:
    """The pipe to guard.py; one for the whole program, there from the first process on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        # Open files that the guard holds, too: a lock is free only when the guard is done.
        self.inherited: list[int] = []

    def write(self, line: str) -> None:
        with self._lock:
            self._process = self._process or self._start()
            assert self._process.stdin is not None
            # It may have gone before us, with a signal to all: then there is nothing to tell it.
            with suppress(BrokenPipeError):
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-I", ROOT / "dev" / "guard.py"],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=self.inherited,
        )
        # Closes the pipe and waits.
        atexit.register(process.communicate)
        return process


_guard = _Guard()


def share_with_guard(descriptor: int) -> None:
    """Must be called before the first process is started."""
    _guard.inherited.append(descriptor)
