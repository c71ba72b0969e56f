"""Which errors are nobody's mistake, by PostgreSQL's own codes; and a broker that refuses us."""

import structlog
from amqp.exceptions import AccessRefused
from django.db import InterfaceError, InternalError, NotSupportedError, OperationalError

from innotter.common.errors import Unavailable
from innotter.common.metrics import DISK_FULL

log = structlog.get_logger("innotter.outages")

# How a SQLSTATE begins: a connection that failed, resources that ran out, a server that starts or
# stops, an error of its machine; one that has become a replica, and transactions that were idle, or
# ran, for longer than the server allows; and a connection whose prepared statements are older than
# a column's type, which a new one has not.
AWAY = ("08", "53", "57", "58", "25006", "25P03", "25P04", "0A000")
# A transaction that others have undone, and a lock that was not to be had.
CONTENDED = ("40", "55P03")
DISK_IS_FULL = "53100"
# They come without a code where no server has answered.
NO_SERVER = (OperationalError, InterfaceError)


def is_database_away(error: BaseException) -> bool:
    """Whether PostgreSQL could not be reached, or was lost on the way, a commit's included, or
    can't be written to.

    Other errors, a deadlock for one, come from a server that is there.
    """
    return _is_one_of(error, AWAY)


def is_passing(error: BaseException) -> bool:
    """Whether something is away or busy, so that the same can be done later: for what waits for
    no answer."""
    return isinstance(error, Unavailable) or _is_one_of(error, AWAY + CONTENDED)


def end_if_refused(error: BaseException) -> None:
    """Ends a process whose password RabbitMQ refuses: unlike a broker that can't be reached, this
    one won't take it later either. Raises SystemExit."""
    if isinstance(error, AccessRefused):
        log.critical("broker_refuses", setting="AMQP_URL", reason=error.reply_text)
        raise SystemExit(1)


def count_disk_full(error: BaseException) -> None:
    """For the alarm DiskFull, if PostgreSQL says so."""
    if getattr(error.__cause__, "sqlstate", None) == DISK_IS_FULL:
        DISK_FULL.inc()


def _is_one_of(error: BaseException, states: tuple[str, ...]) -> bool:
    if not isinstance(error, (OperationalError, InterfaceError, InternalError, NotSupportedError)):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state.startswith(states) if state else isinstance(error, NO_SERVER)
