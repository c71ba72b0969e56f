"""Who answers what a request reads: a replica, or the primary (decision 146).

Everything is asked of the primary but what is read within `reading()`: by compiled reads, outside
a transaction. A replica answers those that has what the reader wrote, and what others wrote until a
second ago. Whatever it can't do, the primary does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import choice

import structlog
from django.db import Error as DatabaseFailure
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from innotter.common.metrics import READS
from innotter.common.replica_lag import watch

log = structlog.get_logger(__name__)

# Called in each transaction that writes, as its last statement.
before_commit: ContextVar[Callable[[], object] | None] = ContextVar("before_commit", default=None)


@contextmanager
def writing(last: Callable[[], object]) -> Iterator[None]:
    """Each transaction that is committed within ends with `last`."""
    entered = before_commit.set(last)
    try:
        yield
    finally:
        before_commit.reset(entered)


@contextmanager
def reading(is_caught_up: Callable[[], bool]) -> Iterator[None]:
    """What is read within may be answered by one replica, of which `is_caught_up` says whether it
    has all that the reader wrote: asked once, by a read that the replica answers, if anything is
    read at all."""
    entered = _reads.set(_Reads(is_caught_up))
    try:
        yield
    finally:
        _reads.reset(entered)


def by_replica[T](read: Callable[[BaseDatabaseWrapper], T]) -> T | None:
    """What `read` gives of a replica; None where the primary has to be asked."""
    reads = _reads.get()
    if reads is None or connection.in_atomic_block:
        return None
    return reads.ask(read)


class _Reads:
    """Those of one request."""

    def __init__(self, is_caught_up: Callable[[], bool]) -> None:
        self._is_caught_up = is_caught_up
        self._is_decided = False
        self._replica: str | None = None

    def ask[T](self, read: Callable[[BaseDatabaseWrapper], T]) -> T | None:
        if not self._is_decided:
            self._decide()
        if self._replica is None:
            return None
        try:
            return read(connections[self._replica])
        except DatabaseFailure as error:
            # It died, or gave the read up for what it replays, or lacks a column yet.
            log.warning("replica_failed", replica=self._replica, reason=str(error).strip())
            connections[self._replica].close()
            watch.distrust(self._replica)
            self._leave_to_primary("failed")
            return None

    def _decide(self) -> None:
        self._is_decided = True
        fresh = watch.fresh()
        if not fresh:
            self._leave_to_primary("none_fresh")
            return
        self._replica = choice(fresh)  # noqa: S311 (any will do)
        if not self._is_caught_up():
            self._leave_to_primary("own_write")
        elif self._replica is not None:
            READS.labels("replica").inc()

    def _leave_to_primary(self, reason: str) -> None:
        self._replica = None
        READS.labels(f"primary_{reason}").inc()


_reads: ContextVar[_Reads | None] = ContextVar("reads", default=None)
