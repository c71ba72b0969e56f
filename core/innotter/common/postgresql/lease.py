"""A lease: what one process of all hosts may do, by a session's lock of the primary."""

import structlog
from django.db import Error as DatabaseFailure
from django.db import connection

log = structlog.get_logger("innotter.lease")

# Who has the lock may ask for it again: so one statement takes it, and says later that it is still
# held. A session that hasn't asked for long is ended by the server, and its lock with it: that of a
# process that stands still, or whose host is gone without a word.
HOLD = """
    SELECT set_config('idle_session_timeout', %s, false), pg_try_advisory_lock(%s)
    WHERE current_setting('transaction_read_only') = 'off'
"""


class Lease:
    """By a connection of its own, which is made when it is first asked for: `number` names it in
    the database, `seconds` is how long one lives that its holder doesn't ask for."""

    def __init__(self, number: int, *, seconds: int) -> None:
        self._connection = connection.copy()
        self._parameters = (f"{seconds}s", number)
        self.is_held = False

    def hold(self) -> bool:
        """Whether the primary says now that it is ours; it is taken where nobody has it. Twice at
        most: a connection may have been lost that nobody needs for it."""
        had = self.is_held
        self.is_held = self._ask() or (had and self._ask())
        if self.is_held != had:
            log.info("lease_taken" if self.is_held else "lease_lost")
        return self.is_held

    def release(self) -> None:
        self._connection.close()
        self.is_held = False

    def _ask(self) -> bool:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(HOLD, self._parameters)
                row = cursor.fetchone()
        except DatabaseFailure as error:
            log.warning("lease_unknown", reason=str(error).strip())
            row = None
        if row is None:
            # Another server may be the primary now.
            self._connection.close()
            return False
        return bool(row[1])
