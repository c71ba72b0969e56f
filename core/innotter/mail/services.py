"""Who gets which mail, and when: the life of a delivery. docs/mail.md tells it at length."""

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from pydantic import ValidationError

from innotter.accounts.models import User
from innotter.common.database import delete_in_steps
from innotter.common.errors import Forbidden, Invalid, Unavailable
from innotter.mail.feedback import Bounce, Complaint, Feedback, parse_feedback
from innotter.mail.letters import write_letter
from innotter.mail.metrics import MAILS, SUPPRESSIONS
from innotter.mail.models import Delivery, Suppression, due_after
from innotter.mail.quota import follow_account, give_back, take, wait
from innotter.mail.selectors import deliveries_to_write, wanted_deliveries
from innotter.mail.ses import MOST_AT_ONCE, Fate, Letter, Outcome, send_letters
from innotter.mail.sns import NotFromSns, SnsAway, SnsMessage
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post
from innotter_contracts.ids import first_id_of

log = structlog.get_logger("innotter.mail")

State = Delivery.State
Reason = Suppression.Reason

# Followers whose deliveries are made in one transaction.
QUEUED_AT_ONCE = 5_000
# A run of sending ends after that, so that every page has its turn; the next run goes on.
RUN_SECONDS = 10
# A call of SES has its answer or its timeout long before.
CLAIM_SECONDS = 30
# Posts in one mail; of more, the newest come in another.
POSTS_IN_MAIL = 50
# Seconds before another attempt: 2, 4, 8, up to this many, each time cut by chance.
LONGEST_WAIT = 600
# Of what SES takes the other mails but not this one. Where SES takes nothing it is for ever.
MOST_ATTEMPTS = 10
# For a delivery's patience it counts no more than this, however long SES is away.
PUT_OFF_ATTEMPTS = 5
# How often the answer of SES is written down when the database stumbles.
RECORD_ATTEMPTS = 5

# The post's lock comes before the page's, which the new rows take: whoever deletes the page takes
# both in that order. A post that is gone has no followers here.
QUEUE_DELIVERIES = """
    WITH post AS (
        SELECT id, page_id, created_at FROM posts_post WHERE id = %(post)s FOR KEY SHARE
    ), chunk AS (
        SELECT post.id AS post_id, follow.page_id, follow.user_id, follow.muted_at
        FROM post JOIN pages_follow AS follow ON follow.page_id = post.page_id
        WHERE follow.accepted_at <= post.created_at AND follow.user_id > %(after)s
        ORDER BY follow.user_id
        LIMIT %(limit)s
    ), queued AS (
        INSERT INTO mail_delivery
            (id, created_at, updated_at, page_id, post_id, recipient_id, due_at)
        SELECT uuidv7(), %(now)s, %(now)s, chunk.page_id, chunk.post_id, reader.id,
               CASE reader.email_notifications
                   WHEN 'hourly' THEN %(hourly)s WHEN 'daily' THEN %(daily)s ELSE %(now)s
               END
        FROM chunk JOIN accounts_user AS reader ON reader.id = chunk.user_id
        WHERE chunk.muted_at IS NULL
          AND NOT reader.is_blocked
          AND reader.email_notifications <> 'off'
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM queued),
           (SELECT user_id FROM chunk ORDER BY user_id DESC LIMIT 1)
"""

# The oldest delivery that is due to a reader about a page stands for all of them: whoever locks
# it has the mail. What is locked already is another worker's.
CLAIM = """
    WITH head AS (
        SELECT id, page_id, recipient_id
        FROM mail_delivery
        WHERE state = 'waiting' AND due_at <= %(now)s {of_page}
          AND NOT EXISTS (
            SELECT FROM mail_delivery AS older
            WHERE older.page_id = mail_delivery.page_id
              AND older.recipient_id = mail_delivery.recipient_id
              AND older.state = 'waiting' AND older.due_at <= %(now)s
              AND older.id < mail_delivery.id
          )
        ORDER BY {order}
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    SELECT delivery.id
    FROM head JOIN mail_delivery AS delivery USING (page_id, recipient_id)
    WHERE delivery.state = 'waiting' AND delivery.due_at <= %(now)s
    FOR UPDATE OF delivery SKIP LOCKED
"""
# The newest first: what is late already may be a little later, so that `at once` stays at once for
# others while a crowd is being mailed.
CLAIM_OF_ALL = CLAIM.format(of_page="", order="due_at DESC")
CLAIM_OF_PAGE = CLAIM.format(of_page="AND page_id = %(page)s", order="recipient_id, id")

BEFORE_ALL = UUID(int=0)

# A delivery says that its mail must not be sent again, for as long as a task about its post may
# still come back from a dead-letter queue. So many in one transaction, and so many in one run.
KEPT = timedelta(days=60)
PRUNED_AT_ONCE = 5_000
PRUNINGS = 20
# Ids sort by their moment: what is too young is never looked at.
PRUNE = """
    DELETE FROM mail_delivery WHERE id = ANY(ARRAY(
        SELECT id FROM mail_delivery
        WHERE id < %s AND updated_at < %s AND state NOT IN ('waiting', 'sending')
        ORDER BY id LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""
# What a mail's end is called in the metrics and the log.
COUNTED = {
    State.SENT: "sent",
    State.WAITING: "retried",
    State.FAILED: "failed",
    State.DOUBTFUL: "doubtful",
}


class NotOurs(Forbidden):
    code = "unknown_sender"
    detail = "This is not signed by Amazon SNS, or of a topic that is not ours."


def queue_deliveries(post_id: UUID) -> int:
    """One delivery for each who followed the post's page when it was written and wants mail; how
    many are new.

    In chunks, each a transaction. It goes on where a run before it has ended; two at once do not
    harm each other.
    """
    last = Delivery.objects.filter(post=post_id).order_by("-recipient_id").first()
    after: UUID | None = last.recipient_id if last else BEFORE_ALL
    queued = 0
    while after is not None:
        new, after = _queue_chunk(post_id, after)
        queued += new
    return queued


def _queue_chunk(post_id: UUID, after: UUID) -> tuple[int, UUID | None]:
    """How many deliveries are new, and the last follower that was looked at, if there was one."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            QUEUE_DELIVERIES,
            {
                "post": post_id,
                "after": after,
                "limit": QUEUED_AT_ONCE,
                "now": now,
                "hourly": due_after(now, User.EmailNotifications.HOURLY),
                "daily": due_after(now, User.EmailNotifications.DAILY),
            },
        )
        new, last = cursor.fetchone()
    return int(new), last


def notify_followers(post_id: UUID) -> int:
    """Owes a new post to the followers of its page, and sends what is due to them; how many mails
    left."""
    queue_deliveries(post_id)
    post = Post.objects.filter(pk=post_id).first()
    return send_due(page_id=post.page_id) if post else 0


@dataclass(frozen=True)
class Claim:
    """A mail that nobody else will send, and the deliveries that it carries."""

    deliveries: Sequence[UUID]
    reader_id: UUID
    letter: Letter
    # With the one to come.
    attempts: int


@dataclass(frozen=True)
class Batch:
    claims: Sequence[Claim]
    claimed_until: datetime
    # Deliveries, with those that nobody wants any more.
    looked_at: int


def send_due(*, page_id: UUID | None = None) -> int:
    """Sends what is due, of one page or of all, as fast as SES allows; how many mails left.

    Ends when nothing is due, when another run waits for the bucket, or after RUN_SECONDS.
    """
    follow_account()
    sent = 0
    deadline = time.monotonic() + RUN_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        allowance = take(MOST_AT_ONCE)
        if not allowance.mails:
            # A new post does not wait: whoever sends what is due has its mails first of all.
            if page_id or allowance.wait is None or allowance.wait > left:
                break
            if not wait(allowance.wait):
                break
            continue
        batch = _claim(allowance.mails, page_id)
        give_back(allowance.mails - len(batch.claims))
        outcomes = send_letters([claim.letter for claim in batch.claims]) if batch.claims else []
        ends = [_end(claim, outcome) for claim, outcome in zip(batch.claims, outcomes, strict=True)]
        _record(batch, ends)
        for claim, end in zip(batch.claims, ends, strict=True):
            _tell(claim, end)
        sent += sum(end["state"] == State.SENT for end in ends)
        if not batch.looked_at or any(each.fate is Fate.PUT_OFF for each in outcomes):
            break
    return sent


@transaction.atomic
def _claim(limit: int, page_id: UUID | None) -> Batch:
    """Up to so many mails that are due, written and ready to leave.

    The locks are gone with the worker that holds them. What is committed here is that SES will be
    asked: from then on a worker that dies leaves its mails in doubt, and at no other moment.
    """
    now = timezone.now()
    locked = _lock_due(limit, page_id, now)
    if not locked:
        return Batch([], now, looked_at=0)
    wanted = wanted_deliveries(locked)
    _change(locked - wanted, state=State.LEFT_OUT)
    MAILS.labels("left_out").inc(len(locked - wanted))
    ready: list[Delivery] = []
    early: list[Delivery] = []
    for delivery in deliveries_to_write(wanted):
        # The reader may have chosen a longer window since it was queued.
        delivery.due_at = due_after(delivery.created_at, delivery.recipient.email_notifications)
        (ready if delivery.due_at <= now else early).append(delivery)
    Delivery.objects.bulk_update(early, ["due_at"])
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


def _lock_due(limit: int, page_id: UUID | None, now: datetime) -> set[UUID]:
    """All deliveries of up to so many mails."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM_OF_PAGE if page_id else CLAIM_OF_ALL,
            {"now": now, "page": page_id, "limit": limit},
        )
        return {row[0] for row in cursor.fetchall()}


def _mail_of(delivery: Delivery) -> tuple[UUID, UUID]:
    return delivery.recipient_id, delivery.page_id


def _written(mail: Sequence[Delivery]) -> Claim:
    reader, page = mail[0].recipient, mail[0].page
    letter = write_letter(reader=reader, page=page, posts=[each.post for each in mail])
    attempts = max(each.attempts for each in mail) + 1
    return Claim([each.id for each in mail], reader.id, letter, attempts)


def _end(claim: Claim, outcome: Outcome) -> dict[str, Any]:
    """What becomes of the deliveries of a mail, by what SES has said."""
    attempts = claim.attempts
    match outcome.fate:
        case Fate.SENT:
            return {"state": State.SENT, "sent_at": timezone.now(), "error": ""}
        case Fate.DOUBTFUL:
            return {"state": State.DOUBTFUL, "error": outcome.error}
        case Fate.STUMBLED if attempts < MOST_ATTEMPTS:
            pass
        case Fate.PUT_OFF:
            attempts = min(attempts, PUT_OFF_ATTEMPTS)
        case _:
            return {"state": State.FAILED, "error": outcome.error}
    delay = min(2**attempts, LONGEST_WAIT) * random.uniform(0.5, 1)  # noqa: S311 (no secret)
    due_at = timezone.now() + timedelta(seconds=delay)
    return {
        "state": State.WAITING,
        "due_at": due_at,
        "attempts": attempts,
        "error": outcome.error,
    }


def _record(batch: Batch, ends: Sequence[dict[str, Any]]) -> None:
    """Writes down what SES has said. It is said once, and so this is tried more than once."""
    for attempt in range(1, RECORD_ATTEMPTS + 1):
        try:
            with transaction.atomic():
                _settle(batch, ends)
            return
        except OperationalError as error:
            if attempt == RECORD_ATTEMPTS or connection.in_atomic_block:
                raise
            log.warning("record_again", reason=str(error))
            connection.close_if_unusable_or_obsolete()
            time.sleep(attempt)


def _settle(batch: Batch, ends: Sequence[dict[str, Any]]) -> None:
    """Only what is still this worker's: a claim that was given up may be somebody else's now."""
    mine = Delivery.objects.filter(claimed_until=batch.claimed_until)
    now = timezone.now()
    sent: list[UUID] = []
    for claim, end in zip(batch.claims, ends, strict=True):
        if end["state"] == State.SENT:
            sent += claim.deliveries
        else:
            mine.filter(id__in=claim.deliveries).update(updated_at=now, **end)
    mine.filter(id__in=sent).update(state=State.SENT, sent_at=now, error="", updated_at=now)


def _tell(claim: Claim, end: dict[str, Any]) -> None:
    """The metrics count mails, and the log has a line for each that did not leave."""
    outcome = COUNTED[end["state"]]
    MAILS.labels(outcome).inc()
    if end["state"] != State.SENT:
        log.warning(
            outcome,
            reader=str(claim.reader_id),
            attempts=claim.attempts,
            reason=end["error"],
        )


def _change(ids: Collection[UUID], **changes: Any) -> None:
    Delivery.objects.filter(id__in=ids).update(updated_at=timezone.now(), **changes)


def prune_deliveries() -> int:
    """Deletes what ended more than KEPT ago, oldest first; how many deliveries. What failed or is
    in doubt is no exception: nobody has looked at it for so long."""
    until = timezone.now() - KEPT
    values = [first_id_of(until), until]
    return delete_in_steps(PRUNE, values, at_once=PRUNED_AT_ONCE, steps=PRUNINGS)


def give_up_claims() -> int:
    """What a dead worker was sending is in doubt once its time is over; how many deliveries."""
    now = timezone.now()
    lost = Delivery.objects.filter(state=State.SENDING, claimed_until__lt=now)
    count = lost.update(state=State.DOUBTFUL, error="The worker died.", updated_at=now)
    if count:
        MAILS.labels("doubtful").inc(count)
        log.error("doubtful", deliveries=count)
    return count


def send_again(deliveries: Collection[UUID]) -> int:
    """Those of these that failed or are in doubt wait anew, as a person has decided; how many."""
    now = timezone.now()
    wrong = Delivery.objects.filter(id__in=deliveries, state__in=[State.FAILED, State.DOUBTFUL])
    return wrong.update(
        state=State.WAITING, due_at=now, attempts=0, claimed_until=None, updated_at=now
    )


@transaction.atomic
def reschedule(user_id: UUID) -> int:
    """What waits for a reader leaves by the window that they have chosen now; how many
    deliveries. A window that is over is no reason to wait."""
    reader = User.objects.filter(pk=user_id).first()
    if reader is None:
        return 0
    waiting = Delivery.objects.filter(recipient=reader, state=State.WAITING, attempts=0)
    moved = list(waiting.select_for_update(skip_locked=True).order_by("id"))
    for delivery in moved:
        delivery.due_at = due_after(delivery.created_at, reader.email_notifications)
    Delivery.objects.bulk_update(moved, ["due_at"], batch_size=1000)
    return len(moved)


def stop_mails(*, reader: User, page: Page) -> None:
    """No more mails about this page to this reader, until they say so or follow it anew."""
    now = timezone.now()
    follows = Follow.objects.filter(user=reader, page=page, muted_at=None)
    follows.update(muted_at=now, updated_at=now)


def resume_mails(*, reader: User, page: Page) -> None:
    follows = Follow.objects.filter(user=reader, page=page, muted_at__isnull=False)
    follows.update(muted_at=None, updated_at=timezone.now())


def receive_message(*, body: Any) -> None:
    """What Amazon SNS sends us: the confirmation of our topic, or what became of a mail. Receiving
    it again changes nothing. Raises Invalid, NotOurs, Unavailable."""
    try:
        message = SnsMessage.model_validate(body)
    except ValidationError:
        raise Invalid("", "This is no message of Amazon SNS.") from None
    if message.topic not in settings.SNS_TOPIC_ARNS:
        raise NotOurs
    try:
        message.verify()
        if message.type == "SubscriptionConfirmation":
            message.confirm()
    except NotFromSns:
        raise NotOurs from None
    except SnsAway:
        raise Unavailable from None
    log.info("sns", type=message.type, message_id=message.message_id)
    if message.type == "Notification":
        _heed(parse_feedback(message.message))


def _heed(feedback: Feedback | None) -> None:
    """A mail that came back for good and a complaint stop mail to the address; a full mailbox and
    the like do not: SES tries these again itself."""
    match feedback:
        case Feedback(type="Bounce", bounce=Bounce(type="Permanent") as bounce):
            for recipient in bounce.recipients:
                _suppress(recipient.address, Reason.BOUNCE, recipient.diagnostic, bounce.timestamp)
        case Feedback(type="Complaint", complaint=Complaint() as complaint):
            for recipient in complaint.recipients:
                if complaint.type != "not-spam":
                    _suppress(
                        recipient.address, Reason.COMPLAINT, complaint.type, complaint.timestamp
                    )


@transaction.atomic
def _suppress(address: str, reason: Reason, detail: str, happened_at: datetime) -> None:
    if "@" not in address or "\0" in address + detail:
        return
    known = {"reason": reason, "detail": detail, "happened_at": happened_at, "lifted_at": None}
    row, new = Suppression.objects.get_or_create(address=address, defaults=known)
    if not new:
        again = Suppression.objects.filter(pk=row.pk, lifted_at__lt=happened_at)
        new = bool(again.update(updated_at=timezone.now(), **known))
    if new:
        SUPPRESSIONS.labels(reason).inc()
        log.warning("suppressed", reason=reason, detail=detail)


def lift_suppressions(suppressions: Collection[UUID]) -> int:
    """Mail to these addresses is tried again; how many that concerns."""
    now = timezone.now()
    active = Suppression.objects.filter(id__in=suppressions, lifted_at=None)
    return active.update(lifted_at=now, updated_at=now)
