"""Read-only for a while: an upgrade, a restore. One row says so, and every process believes it
within two seconds; what it says holds for requests, tasks and the relay (decision 102).

Commands write all the same: that is what maintenance is for.
"""

import math
import time
from typing import NamedTuple

from django.db import connection

from innotter.common.errors import ReadOnly
from innotter.common.models import Maintenance
from innotter.common.text import visible_line

# Seconds that a process goes on believing what it has read: no request pays for a look of its own.
LOOK_EVERY = 1
# In which every process has looked, and has ended the look that it was at.
BELIEVED_IN = 2
LONGEST_REASON = 200

WRITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""


class _Known(NamedTuple):
    found: Maintenance | None = None
    # By the clock that never goes back.
    looked_at: float = -math.inf


_known = _Known()


def maintenance() -> Maintenance | None:
    """That nobody may write now, and why. Raises what says that the database is away, once in
    LOOK_EVERY."""
    global _known  # noqa: PLW0603 # of this process
    now = time.monotonic()
    if now - _known.looked_at >= LOOK_EVERY:
        # While one thread looks, the others go on.
        _known = _Known(_known.found, now)
        _known = _Known(Maintenance.objects.first(), now)
    return _known.found


def require_writable() -> None:
    """For what is long past the check at its beginning, before it writes. Raises ReadOnly."""
    if maintenance():
        raise ReadOnly


def last_known() -> Maintenance | None:
    """The same, without a look."""
    return _known.found


def forget() -> None:
    """The next look is at the database."""
    global _known  # noqa: PLW0603
    _known = _Known()


def begin(reason: str) -> Maintenance:
    """From now on nobody may write; of one that has begun, another reason. Raises Invalid."""
    line = visible_line("reason", reason, LONGEST_REASON)
    found, _ = Maintenance.objects.update_or_create(defaults={"reason": line})
    forget()
    return found


def end() -> bool:
    """Whether there was one."""
    deleted, _ = Maintenance.objects.all().delete()
    forget()
    return deleted > 0


def still_writing() -> int:
    """Transactions of others that have written, and are not over yet."""
    with connection.cursor() as cursor:
        cursor.execute(WRITING)
        return int(cursor.fetchone()[0])
