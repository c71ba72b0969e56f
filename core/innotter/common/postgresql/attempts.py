"""Who asks a server that is away: one thread of a process, while the others fail at once.

A host that lost its network refuses nobody: each attempt waits for seconds. Where every request
made its own, they would hold all threads, and what another server answers would wait behind them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import psycopg

# By alias; of this process.
_attempts: "dict[str, Attempts]" = {}


class Attempts:
    """Those of one process to connect to one server."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_away = False
        self._is_asked = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one. Raises psycopg.OperationalError where the last one failed, and another is
        under way."""
        with self._lock:
            if self._is_away and self._is_asked:
                raise psycopg.OperationalError("no server answered; another thread asks again")
            self._is_asked = is_ours = self._is_away
        try:
            yield
        except psycopg.OperationalError:
            self._is_away = True
            raise
        else:
            self._is_away = False
        finally:
            if is_ours:
                self._is_asked = False


def attempts_at(alias: str) -> Attempts:
    return _attempts.setdefault(alias, Attempts())
