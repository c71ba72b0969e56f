"""What SES's answers lead to, for mail of every kind."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.utils import timezone

from innotter.common.outages import is_passing
from innotter.mail.message import Outcome
from innotter.mail.ses import LONGEST_BATCH
from innotter_contracts.backoff import delay_after

log = structlog.get_logger("innotter.mail")

# SES has answered for a batch long before.
CLAIM_SECONDS = 2 * LONGEST_BATCH
# Seconds before another attempt: 2, 4, 8, up to this many, each time cut by chance.
LONGEST_WAIT = 600
# Of failures of this one mail. Where SES takes nothing it is for ever.
MOST_ATTEMPTS = 10
# For a mail's patience it counts no more than this, however long SES is away.
UNAVAILABLE_ATTEMPTS = 5
# How often SES's answers are written while the database fails.
PERSIST_ATTEMPTS = 5


def next_attempt(attempts: int, outcome: Outcome) -> tuple[int, datetime]:
    """After so many: how many count from now on, and when the next one is due."""
    if outcome is Outcome.UNAVAILABLE:
        attempts = min(attempts, UNAVAILABLE_ATTEMPTS)
    delay = delay_after(attempts, first=2, longest=LONGEST_WAIT)
    return attempts, timezone.now() + timedelta(seconds=delay)


def persist(write: Callable[[], None]) -> None:
    """Writes what SES has said, in one transaction. It is said once, and so this is tried more
    than once."""
    for attempt in range(1, PERSIST_ATTEMPTS + 1):
        try:
            with transaction.atomic():
                write()
            return
        except DatabaseFailure as error:
            is_last = attempt == PERSIST_ATTEMPTS or connection.in_atomic_block
            if is_last or not is_passing(error):
                raise
            log.warning("persist_again", reason=str(error))
            connection.close_if_unusable_or_obsolete()
            time.sleep(attempt)
