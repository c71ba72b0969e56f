"""Several roles of a service in one command: each is a process, forked from one that has imported
everything, so that they share its memory and nothing else.

The parent has no thread, and does nothing but start again what dies. Each role may be killed
without harm to the others; where the parent is killed, Linux ends them all with it.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import NamedTuple, NoReturn

import structlog

from innotter_contracts.backoff import delay_after
from innotter_contracts.sharing import share_memory

# Seconds from SIGTERM until what still runs is killed.
STOP_BOUND = 35
# Seconds before a role that has died is started again, at most; at first one.
LONGEST_DELAY = 30
# One that has lived so long, in seconds, has not died of its start.
CALM = 60
# Of <linux/prctl.h>: the signal that a process gets when its parent ends, and its name, as `ps -e`
# and `top` show it.
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15

log = structlog.get_logger("innotter.roles")

type Roles = Mapping[str, Callable[[], object]]


def run_roles(roles: Roles) -> None:
    """Until SIGTERM or SIGINT has ended all of them. Raises SystemExit where one had to be killed.

    Each is called in a process of its own; by the caller, no thread may have been started.
    """
    share_memory()
    # Holds for the forks of a role, too.
    os.register_at_fork(after_in_child=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
    _Parent(roles).run()


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


class _Life(NamedTuple):
    role: str
    born: float
    # How often the role has died soon after its start.
    deaths: int


class _Parent:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._living: dict[int, _Life] = {}
        self._stopping = False
        self._killed = False

    def run(self) -> None:
        handlers = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGALRM: self._kill,
        }
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for role in self._roles:
            self._start(role)
        while self._living:
            pid, status = os.wait()
            # A container's first process gets the orphans of others too.
            if life := self._living.pop(pid, None):
                self._ended(life, os.waitstatus_to_exitcode(status))
        if self._killed:
            raise SystemExit(1)

    def _ended(self, life: _Life, code: int) -> None:
        if self._stopping:
            return
        lived = time.monotonic() - life.born
        deaths = 1 if lived > CALM else life.deaths + 1
        delay = delay_after(deaths, first=1, longest=LONGEST_DELAY)
        log.error("role_ended", role=life.role, code=code, starts_in=round(delay, 1))
        self._start(life.role, deaths, delay)

    def _start(self, role: str, deaths: int = 0, delay: float = 0) -> None:
        """The child waits out the delay: the parent has others to look after."""
        # Between the fork and what either of them does next, a signal would meet the wrong one.
        signals = {signal.SIGTERM, signal.SIGINT, signal.SIGALRM}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        if (pid := os.fork()) == 0:
            for number in signals:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            _prctl(_PR_SET_NAME, role.encode())
            _play(self._roles[role], delay)
        self._living[pid] = _Life(role, time.monotonic() + delay, deaths)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True
        signal.alarm(STOP_BOUND)
        for pid in self._living:
            os.kill(pid, signal.SIGTERM)

    def _kill(self, _: int, __: FrameType | None) -> None:
        self._killed = True
        for pid, life in self._living.items():
            log.error("role_killed", role=life.role, after=STOP_BOUND)
            os.kill(pid, signal.SIGKILL)


def _play(role: Callable[[], object], delay: float) -> NoReturn:
    """Never returns to what its parent was doing."""
    code = 1
    try:
        time.sleep(delay)
        role()
        code = 0
    except SystemExit as end:
        code = _code_of(end)
    except BaseException:  # there is nobody above
        log.critical("role_failed", exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(end: SystemExit) -> int:
    """As Python itself would end with it."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1
