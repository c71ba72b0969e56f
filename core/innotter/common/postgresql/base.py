"""Django's PostgreSQL for servers that fail and are replaced, perhaps behind a pooler.

What Django's own doesn't know: that a commit may have an unknown outcome, that a server which takes
no writes any more is of no use, that a pooler may forget what was prepared, that one attempt at a
server that doesn't answer is enough; and that there may be a last thing to do before a commit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError
from django.db.backends.postgresql import base

from innotter.common.errors import UnknownOutcome
from innotter.common.metrics import UNKNOWN_OUTCOMES
from innotter.common.postgresql.attempts import attempts_at
from innotter.common.postgresql.prepared import MOST_PREPARED, PreparedCursor
from innotter.common.replicas import before_commit

log = structlog.get_logger("innotter.outages")

# Where a server says that a commit no longer waits for a replica; its words are translated.
NOT_WAITED = "SyncRepWaitForLSN"
# How statements begin that may change rows.
WRITES = ("INSERT", "UPDATE", "DELETE")
# PgBouncer that knows what was prepared gives it names of its own.
PREPARED_BY_POOLER = "SELECT bool_or(name LIKE 'PGBOUNCER%') FROM pg_prepared_statements"

# A prepared statement has one plan. Left to itself, a server that reckons a plan for each call
# cheaper makes one at each call, by chance of its statistics (decision 172).
ONE_PLAN = "SET plan_cache_mode = force_generic_plan"


class CommitUnknown(OperationalError, UnknownOutcome):
    """For who waits for no answer it is one of PostgreSQL's errors, for others one of ours."""


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # That the last commit didn't wait for a replica.
        self._is_unreplicated = False
        # Of a statement: the one of this connection that knows it.
        self.prepared_cursor: Callable[[str], PreparedCursor]
        self.execute_wrappers.append(self._execute)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with attempts_at(self.alias).attempt():
            connection = super().get_new_connection(conn_params)
            connection.add_notice_handler(self._take_notice)
            try:
                _settle(connection)
            except psycopg.Error:
                connection.close()
                raise
            self.prepared_cursor = lru_cache(MOST_PREPARED)(lambda _: PreparedCursor(connection))
            return connection

    def is_usable(self) -> bool:
        """Whether the server answers; a primary also takes writes: one that was demoted is left."""
        if self.connection is None or self.alias != DEFAULT_DB_ALIAS:
            return super().is_usable()
        try:
            with psycopg.Cursor(self.connection) as cursor:
                row = cursor.execute("SHOW transaction_read_only").fetchone()
        except psycopg.Error:
            return False
        return row == ("off",)

    def _commit(self) -> None:
        if (last := before_commit.get()) is not None:
            last()
        try:
            with self.known_outcome():
                super()._commit()  # type: ignore[misc] # unknown to its stubs
        except CommitUnknown:
            # Django would connect anew, and raise that nobody answers.
            self.closed_in_transaction = self.connection.closed
            raise

    def _execute(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """A write outside a transaction commits by itself."""
        if self.in_atomic_block or not str(sql).lstrip().startswith(WRITES):
            return execute(sql, params, many, context)
        with self.known_outcome():
            return execute(sql, params, many, context)

    @contextmanager
    def known_outcome(self) -> Iterator[None]:
        """Of what commits. Raises CommitUnknown where the connection is lost before the answer, or
        the server gives up waiting for a replica: it may be kept, or be lost with this server."""
        self._is_unreplicated = False
        was_open = self.connection is not None and not self.connection.closed
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            if was_open and _is_without_answer(error):
                raise self._unknown(str(error).strip()) from error.__cause__
            raise
        if self._is_unreplicated:
            raise self._unknown("no replica has confirmed it")

    def _unknown(self, reason: str) -> CommitUnknown:
        UNKNOWN_OUTCOMES.inc()
        log.warning("unknown_outcome", reason=reason)
        return CommitUnknown()

    def _take_notice(self, notice: Any) -> None:
        self._is_unreplicated |= notice.source_function == NOT_WAITED


def _settle(connection: "psycopg.Connection[Any]") -> None:
    """What becomes of what it prepares. Raises psycopg.Error."""
    with psycopg.Cursor(connection) as cursor:
        if not is_pooled(cursor):
            cursor.execute(ONE_PLAN, prepare=False)
        elif not keeps_prepared(cursor):
            connection.prepare_threshold = None
    connection.commit()


def is_pooled(cursor: "psycopg.Cursor[Any]") -> bool:
    """Whether a pooler stands before the server: it has told a process number of its own."""
    [pid] = cursor.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or [0]
    return bool(pid != cursor.connection.info.backend_pid)


def keeps_prepared(cursor: "psycopg.Cursor[Any]") -> bool:
    """Whether the next transaction behind a pooler still has what this one prepares."""
    try:
        [kept] = cursor.execute(PREPARED_BY_POOLER, prepare=True).fetchone() or [False]
        if not kept:
            cursor.execute("DEALLOCATE ALL")
    except psycopg.errors.DuplicatePreparedStatement:
        return False
    return bool(kept)


def _is_without_answer(error: Exception) -> bool:
    """What a server says of a failed commit has a code; a pooler says 08… where the server said
    nothing."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith("08")
