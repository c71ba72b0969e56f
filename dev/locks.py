"""One at a time: a lock on a file that ends with its holder, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.errors import Failed
from dev.processes import share_with_guard


@contextmanager
def waited_for(file: Path) -> Iterator[None]:
    """Waits until nobody else has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def locked(file: Path, *, busy: str) -> Iterator[None]:
    """Raises Failed with the sentence `busy` when somebody else has it.

    The guard holds it, too: it is free only when the last child of its holder has ended.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(busy) from None
        share_with_guard(lock.fileno())
        yield
