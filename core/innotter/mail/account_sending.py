"""Sends what people are owed about their accounts: before mail about pages, and at least once.

Unlike with page mail, one whose outcome is unknown is sent again: a second mail is no harm, and a
link to a new password that never comes is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from innotter.accounts.models import AccountMail
from innotter.mail.account_mail import write_account_mails
from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.metrics import MAILS
from innotter.mail.models import Suppression
from innotter.mail.outcomes import CLAIM_SECONDS, MOST_ATTEMPTS, next_attempt, persist
from innotter.mail.ses import send_messages
from innotter.mail.suppressions import suppress

log = structlog.get_logger("innotter.mail")

State = AccountMail.State

# What a mail's end is called in the metrics and the log.
COUNTED = {State.SENT: "sent", State.WAITING: "retried", State.FAILED: "failed"}


@dataclass(frozen=True)
class AccountBatch:
    """What a run has done: `looked_at` counts also those that are for nobody any more, `stop` says
    that SES takes nothing now."""

    looked_at: int
    claimed: int
    sent: int
    stop: bool


@dataclass(frozen=True)
class _Claims:
    """Mails that nobody else will send until then, with the attempts that each had before."""

    messages: Sequence[tuple[UUID, int, EmailMessage]]
    until: datetime
    looked_at: int


def send_account_mail(limit: int) -> AccountBatch:
    """Up to so many mails that are due."""
    claims = _claim(limit)
    answers = (
        send_messages([message for _, _, message in claims.messages]) if claims.messages else []
    )
    ends = [
        (mail_id, answer, _resolve(attempts + 1, answer))
        for (mail_id, attempts, _), answer in zip(claims.messages, answers, strict=True)
    ]
    if ends:
        persist(lambda: _update(claims, ends))
    _suppress_refused(claims, answers)
    for mail_id, answer, changes in ends:
        _report(mail_id, answer, changes["state"])
    return AccountBatch(
        looked_at=claims.looked_at,
        claimed=len(claims.messages),
        sent=sum(answer.outcome is Outcome.SENT for answer in answers),
        stop=any(answer.outcome is Outcome.UNAVAILABLE for answer in answers),
    )


@transaction.atomic
def _claim(limit: int) -> _Claims:
    """Written and ready to leave; the tokens of their links are good from the commit on."""
    now = timezone.now()
    due = AccountMail.due(now)
    locked = list(
        due.select_for_update(skip_locked=True, no_key=True, of=("self",)).order_by("due_at", "id")[
            :limit
        ]
    )
    if not locked:
        return _Claims([], now, 0)
    written = write_account_mails(locked)
    until = now + timedelta(seconds=CLAIM_SECONDS)
    _change(written.keys(), claimed_until=until, attempts=F("attempts") + 1)
    skipped = {mail.id for mail in locked} - written.keys()
    _change(skipped, state=State.SKIPPED)
    MAILS.labels("skipped").inc(len(skipped))
    messages = [(m.id, m.attempts, written[m.id]) for m in locked if m.id in written]
    return _Claims(messages, until, len(locked))


def _resolve(attempts: int, answer: Answer) -> dict[str, Any]:
    """What becomes of a mail, by what SES has said."""
    match answer.outcome:
        case Outcome.SENT:
            return {"state": State.SENT, "sent_at": timezone.now(), "error": ""}
        case Outcome.REFUSED:
            return {"state": State.FAILED, "error": answer.error}
        case Outcome.TRANSIENT_FAILURE | Outcome.UNKNOWN if attempts >= MOST_ATTEMPTS:
            return {"state": State.FAILED, "error": answer.error}
    attempts, due_at = next_attempt(attempts, answer.outcome)
    return {
        "state": State.WAITING,
        "due_at": due_at,
        "claimed_until": None,
        "attempts": attempts,
        "error": answer.error,
    }


def _update(claims: _Claims, ends: Sequence[tuple[UUID, Answer, dict[str, Any]]]) -> None:
    """Only what is still this worker's: a claim that took too long may be somebody else's now."""
    mine = AccountMail.objects.filter(claimed_until=claims.until)
    for mail_id, _, changes in ends:
        mine.filter(pk=mail_id).update(updated_at=timezone.now(), **changes)


def _suppress_refused(claims: _Claims, answers: Sequence[Answer]) -> None:
    for (_, _, message), answer in zip(claims.messages, answers, strict=True):
        if answer.bad_address:
            suppress(
                message.to.lower(),
                reason=Suppression.Reason.REFUSED,
                detail=answer.error,
                happened_at=timezone.now(),
            )


def _report(mail_id: UUID, answer: Answer, state: AccountMail.State) -> None:
    outcome = COUNTED[state]
    MAILS.labels(outcome).inc()
    if state != State.SENT:
        log.warning(outcome, account_mail=str(mail_id), reason=answer.error)


def _change(ids: Any, **changes: Any) -> None:
    AccountMail.objects.filter(pk__in=list(ids)).update(updated_at=timezone.now(), **changes)
