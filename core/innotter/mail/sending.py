"""Sends what is due: claims deliveries, writes their mails, asks SES, persists what it says.
docs/mail.md describes the states of a delivery."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from innotter.mail.account_sending import send_account_mail
from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.metrics import MAILS
from innotter.mail.models import Delivery, Suppression, due_to, turn_of
from innotter.mail.outcomes import CLAIM_SECONDS, MOST_ATTEMPTS, next_attempt, persist
from innotter.mail.page_mail import write_page_mail
from innotter.mail.queueing import queue_deliveries
from innotter.mail.quota import acquire, follow_account, release, wait
from innotter.mail.selectors import deliveries_to_write, wanted_deliveries
from innotter.mail.ses import MOST_AT_ONCE, send_messages
from innotter.mail.suppressions import suppress

log = structlog.get_logger("innotter.mail")

State = Delivery.State

# A run of sending ends after that; the next run goes on.
RUN_SECONDS = 10
# Posts in one mail; of more, the newest come in another.
POSTS_IN_MAIL = 50
# The oldest delivery that is due to a reader about a page stands for all of them: the worker
# that locks it has the mail. What is locked already is another worker's.
CLAIM = """
    WITH head AS (
        SELECT id, page_id, recipient_id
        FROM mail_delivery
        WHERE state = 'waiting' AND due_at <= %(now)s
          AND NOT EXISTS (
            SELECT FROM mail_delivery AS older
            WHERE older.page_id = mail_delivery.page_id
              AND older.recipient_id = mail_delivery.recipient_id
              AND older.state = 'waiting' AND older.due_at <= %(now)s
              AND older.id < mail_delivery.id
          )
        ORDER BY turn_at, id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    SELECT delivery.id
    FROM head JOIN mail_delivery AS delivery USING (page_id, recipient_id)
    WHERE delivery.state = 'waiting' AND delivery.due_at <= %(now)s
    FOR UPDATE OF delivery SKIP LOCKED
"""

# What a mail's end is called in the metrics and the log.
COUNTED = {
    State.SENT: "sent",
    State.WAITING: "retried",
    State.FAILED: "failed",
    State.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Claim:
    """A mail that nobody else will send, and the deliveries that it carries."""

    deliveries: Sequence[UUID]
    reader_id: UUID
    message: EmailMessage
    # With the one to come.
    attempts: int
    urgent: bool


@dataclass(frozen=True)
class Batch:
    claims: Sequence[Claim]
    claimed_until: datetime
    # Deliveries, with those that nobody wants any more.
    looked_at: int


@dataclass(frozen=True)
class End:
    """What SES has said of a claim, and what its deliveries become by that."""

    claim: Claim
    answer: Answer
    changes: dict[str, Any]

    @property
    def state(self) -> State:
        return State(self.changes["state"])


def notify_followers(post_id: UUID) -> int:
    """Queues a new post for the followers of its page, and sends as many mails as that are: what
    has its turn first, this post's or another's. How many left."""
    return send_due(most=queue_deliveries(post_id))


def send_due(*, most: int | None = None) -> int:
    """Sends what is due, as fast as SES allows: before each batch the mail about accounts, then
    that about pages in the order of turns; how many mails left.

    Ends when nothing is due, when SES takes nothing, or after RUN_SECONDS. With `most` it ends
    after so many, and does not wait for SES's quota: that is left to the clock's run.
    """
    follow_account()
    sent = 0
    deadline = time.monotonic() + RUN_SECONDS
    while (left := deadline - time.monotonic()) > 0 and most != 0:
        allowance = acquire(MOST_AT_ONCE if most is None else min(most, MOST_AT_ONCE))
        if not allowance.mails:
            if most is not None or allowance.wait is None or allowance.wait > left:
                break
            if not wait(allowance.wait):
                break
            continue
        urgent = send_account_mail(allowance.mails)
        sent += urgent.sent
        if urgent.stop:
            release(allowance.mails - urgent.claimed)
            break
        batch = _claim(allowance.mails - urgent.claimed)
        release(allowance.mails - urgent.claimed - len(batch.claims))
        ends = _send(batch)
        sent += sum(end.state == State.SENT for end in ends)
        if most is not None:
            most = max(0, most - batch.looked_at)
        looked_at = batch.looked_at + urgent.looked_at
        if not looked_at or any(end.answer.outcome is Outcome.UNAVAILABLE for end in ends):
            break
    return sent


def _send(batch: Batch) -> list[End]:
    if not batch.claims:
        return []
    answers = send_messages([claim.message for claim in batch.claims])
    ends = [
        End(claim, answer, _resolve(claim, answer))
        for claim, answer in zip(batch.claims, answers, strict=True)
    ]
    persist(lambda: _update(batch, ends))
    _suppress_refused(ends)
    for end in ends:
        _report(end)
    return ends


@transaction.atomic
def _claim(limit: int) -> Batch:
    """Up to so many mails that are due, written and ready to leave.

    The locks are gone with the worker that holds them. What is committed here is that SES will be
    asked: from then on the outcome of what a dying worker held is unknown, and at no other moment.
    """
    now = timezone.now()
    locked = _lock_due(limit, now)
    if not locked:
        return Batch([], now, looked_at=0)
    wanted = wanted_deliveries(locked)
    _change(locked - wanted, state=State.SKIPPED)
    MAILS.labels("skipped").inc(len(locked - wanted))
    ready: list[Delivery] = []
    early: list[Delivery] = []
    for delivery in deliveries_to_write(wanted):
        # The reader may have chosen a longer window since it was queued.
        due_at = due_to(delivery.recipient, delivery.created_at)
        if due_at > now:
            delivery.move_to(due_at)
        (ready if due_at <= now else early).append(delivery)
    Delivery.objects.bulk_update(early, ["due_at", "turn_at"])
    claims = [
        _written(list(islice(mail, POSTS_IN_MAIL))) for _, mail in groupby(ready, key=_mail_of)
    ]
    until = now + timedelta(seconds=CLAIM_SECONDS)
    _change(
        [delivery for claim in claims for delivery in claim.deliveries],
        state=State.SENDING,
        claimed_until=until,
        attempts=F("attempts") + 1,
    )
    return Batch(claims, until, looked_at=len(locked))


def _lock_due(limit: int, now: datetime) -> set[UUID]:
    """All deliveries of up to so many mails."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"now": now, "limit": limit})
        return {row[0] for row in cursor.fetchall()}


def _mail_of(delivery: Delivery) -> tuple[UUID, UUID]:
    return delivery.recipient_id, delivery.page_id


def _written(mail: Sequence[Delivery]) -> Claim:
    reader, page = mail[0].recipient, mail[0].page
    return Claim(
        [each.id for each in mail],
        reader.id,
        write_page_mail(reader=reader, page=page, posts=[each.post for each in mail]),
        attempts=max(each.attempts for each in mail) + 1,
        urgent=any(each.urgent for each in mail),
    )


def _resolve(claim: Claim, answer: Answer) -> dict[str, Any]:
    """What becomes of the deliveries of a mail, by what SES has said."""
    match answer.outcome:
        case Outcome.SENT:
            return {"state": State.SENT, "sent_at": timezone.now(), "error": ""}
        case Outcome.UNKNOWN:
            return {"state": State.UNKNOWN, "error": answer.error}
        case Outcome.REFUSED:
            return {"state": State.FAILED, "error": answer.error}
        case Outcome.TRANSIENT_FAILURE if claim.attempts >= MOST_ATTEMPTS:
            return {"state": State.FAILED, "error": answer.error}
    attempts, due_at = next_attempt(claim.attempts, answer.outcome)
    return {
        "state": State.WAITING,
        "due_at": due_at,
        "turn_at": turn_of(due_at, urgent=claim.urgent),
        "attempts": attempts,
        "error": answer.error,
    }


def _update(batch: Batch, ends: Sequence[End]) -> None:
    """Only what is still this worker's: a claim that was given up may be somebody else's now."""
    mine = Delivery.objects.filter(claimed_until=batch.claimed_until)
    now = timezone.now()
    sent: list[UUID] = []
    for end in ends:
        if end.state == State.SENT:
            sent += end.claim.deliveries
        else:
            mine.filter(id__in=end.claim.deliveries).update(updated_at=now, **end.changes)
    mine.filter(id__in=sent).update(state=State.SENT, sent_at=now, error="", updated_at=now)


def _suppress_refused(ends: Sequence[End]) -> None:
    """What SES refuses once is not asked again with each new post."""
    for end in ends:
        if end.answer.bad_address:
            suppress(
                end.claim.message.to.lower(),
                reason=Suppression.Reason.REFUSED,
                detail=end.answer.error,
                happened_at=timezone.now(),
            )


def _report(end: End) -> None:
    """The metrics count mails, and the log has a line for each that did not leave."""
    outcome = COUNTED[end.state]
    MAILS.labels(outcome).inc()
    if end.state != State.SENT:
        log.warning(
            outcome,
            reader=str(end.claim.reader_id),
            attempts=end.claim.attempts,
            reason=end.answer.error,
        )


def _change(ids: Collection[UUID], **changes: Any) -> None:
    Delivery.objects.filter(id__in=ids).update(updated_at=timezone.now(), **changes)


def give_up_claims() -> int:
    """The outcome of what a dead worker was sending is unknown once its time is over; how many
    deliveries."""
    now = timezone.now()
    count = Delivery.lost(now).update(state=State.UNKNOWN, error="The worker died.", updated_at=now)
    if count:
        MAILS.labels("unknown").inc(count)
        log.error("unknown", deliveries=count)
    return count
