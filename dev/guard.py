"""Ends the process groups of a supervisor that died without ending them itself.

Reads lines `+GROUP` and `-GROUP` from standard input, whose other end the supervisor alone
holds: the end of the file means that the supervisor is gone, however it went. Standard
library only, started as a script of its own (see `processes.py`).
"""

import os
import signal
import sys
import time

# Seconds that a group has to end by itself, so that databases close their files.
GRACE = 10


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while _signal(groups, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: int) -> bool:
    """Whether any of the groups still has a process."""
    alive = False
    for group in groups:
        try:
            os.killpg(group, number)
            alive = True
        except ProcessLookupError:
            pass
    return alive


if __name__ == "__main__":
    main()
