"""How fast mail may leave: a token bucket in one row of the database, which follows SES's account.

Each call is one statement, so that any number of workers share the bucket without talking.
"""

import time
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from django.db import connection, transaction

from innotter.mail.ses import account_quota

# How long a look at the account is good for.
CHECK_SECONDS = 60
# Seconds of the rate that are waited for: calls of SES that carry one mail each would be a waste.
SHARE = 0.25
# The lock of who waits: any number that nobody else uses.
WAITING = 0x6D61696C

# The clock is that of the statement and not of its transaction, which may have waited.
ACQUIRE = """
    WITH quota AS (
        SELECT id, rate, left_today, clock_timestamp() AS moment,
               LEAST(GREATEST(rate, 1),
                     tokens + rate * EXTRACT(epoch FROM clock_timestamp() - refilled_at)
               ) AS available
        FROM mail_quota
        FOR UPDATE
    ), allowed AS (
        SELECT *, GREATEST(0, FLOOR(LEAST(available, left_today, %s))) AS granted FROM quota
    )
    UPDATE mail_quota
    SET tokens = available - granted,
        left_today = allowed.left_today - granted,
        refilled_at = moment
    FROM allowed
    WHERE mail_quota.id = allowed.id
    RETURNING granted, allowed.rate, available, allowed.left_today
"""
RELEASE = "UPDATE mail_quota SET tokens = tokens + %s, left_today = left_today + %s"
# One of all workers finds that it is time.
BEGIN_CHECK = """
    INSERT INTO mail_quota (id, checked_at) VALUES (1, now())
    ON CONFLICT (id) DO UPDATE SET checked_at = now()
    WHERE mail_quota.checked_at IS NULL
       OR mail_quota.checked_at < now() - %s * interval '1 second'
    RETURNING id
"""
SET = "UPDATE mail_quota SET rate = %s, left_today = %s"
CHECK_AGAIN = "UPDATE mail_quota SET checked_at = NULL"


@dataclass(frozen=True)
class Allowance:
    """`mails` may leave now. Without any: the next one in `wait` seconds, or not today (None)."""

    mails: int
    wait: float | None


def acquire(wanted: int) -> Allowance:
    """Up to `wanted` mails. Who sends fewer releases the rest."""
    with connection.cursor() as cursor:
        cursor.execute(ACQUIRE, [wanted])
        granted, rate, available, left = cursor.fetchone()
    if granted:
        return Allowance(int(granted), 0)
    if rate <= 0 or (left is not None and left < 1):
        return Allowance(0, None)
    return Allowance(0, (max(1, rate * SHARE) - available) / rate)


def wait(seconds: float) -> bool:
    """Waits for the bucket to fill, as the only one of all workers; False at once for the
    others."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WAITING])
        [alone] = cursor.fetchone()
        if alone:
            time.sleep(seconds)
    return bool(alone)


def release(mails: int) -> None:
    if mails:
        with connection.cursor() as cursor:
            cursor.execute(RELEASE, [mails, mails])


def follow_account() -> None:
    """Asks SES once a minute what the account may do. Without an answer the last one holds."""
    with connection.cursor() as cursor:
        cursor.execute(BEGIN_CHECK, [CHECK_SECONDS])
        if cursor.fetchone() is None:
            return
        try:
            quota = account_quota()
        except (BotoCoreError, ClientError):
            cursor.execute(CHECK_AGAIN)
            return
        cursor.execute(SET, [quota.rate, quota.left_today])
