"""How a statement that a connection has prepared is sent (decision 174)."""

import re
from functools import lru_cache
from typing import Any

import psycopg
from psycopg._preparing import Prepare
from psycopg.pq import DiagnosticField, ExecStatus, Format

SQLSTATE = DiagnosticField.SQLSTATE
# As many as psycopg keeps prepared on a connection.
MOST_PREPARED = 100
# Of all connections of a process.
MOST_STATEMENTS = 2000

type Row = tuple[Any, ...]


class PreparedCursor(psycopg.RawCursor[Row]):
    """Sends values beside a statement, which PostgreSQL has prepared: see `prepare_threshold`. Rows
    come as PostgreSQL holds them, so that nobody has to write and read moments and ids. One that is
    kept for a statement knows from the second time on what its columns are."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "PreparedCursor":
        return super().execute(_numbered(query), params, binary=True)

    def _maybe_prepare_gen(self, pgq: Any, **options: Any) -> Any:
        """What is prepared is sent, waited for and read by one call of libpq. Psycopg makes one for
        each, and with each gives the interpreter up, and waits until other threads return it."""
        prepare, name = self._get_prepared(pgq)
        if prepare is not Prepare.YES:
            yield from super()._maybe_prepare_gen(pgq, **options)
            return
        self.connection._prepared.maybe_add_to_cache(pgq, prepare, name)
        result = self._pgconn.exec_prepared(name, pgq.params, pgq.formats, Format.BINARY)
        if result.status == ExecStatus.FATAL_ERROR and not result.error_field(SQLSTATE):
            # It is not the server that says so, which is gone.
            raise psycopg.OperationalError(result.get_error_message())
        self._check_results([result])
        self._set_results([result])

    def fetchall(self) -> list[Row]:
        """And keeps none of them: it is the statement that the cursor is kept for."""
        rows = super().fetchall()
        self._reset(reset_query=False)
        self._tx.set_pgresult(None, set_loaders=False)
        return rows


@lru_cache(MOST_STATEMENTS)
def _numbered(sql: str) -> bytes:
    """With `$1`, `$2`, … in place of `%s`, as PostgreSQL writes it."""
    places = iter(range(1, sql.count("%s") + 1))
    return re.sub("%s|%%", lambda m: f"${next(places)}" if m[0] == "%s" else "%", sql).encode()
