from datetime import UTC, datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from innotter.accounts.models import User
from innotter.common.compiled import Parameter
from innotter.common.models import Record
from innotter.common.time_zones import next_hour_of_day
from innotter.pages.models import Page
from innotter.posts.models import Post

type Frequency = str  # one of User.EmailNotifications


def due_after(
    since: datetime, frequency: Frequency, time_zone: str = "UTC", digest_hour: int = 0
) -> datetime:
    """When a mail leaves that waits since a moment: at once, with the next full hour (UTC), or at
    the next hour of a day that the reader has chosen for it. Of the same always the same."""
    since = since.astimezone(UTC)
    match frequency:
        case User.EmailNotifications.HOURLY:
            return since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        case User.EmailNotifications.DAILY:
            return next_hour_of_day(since, digest_hour, time_zone)
    return since


def due_to(reader: User, since: datetime) -> datetime:
    return due_after(since, reader.email_notifications, reader.time_zone, reader.digest_hour)


# So much earlier than bulk mail something urgent has its turn.
HEAD_START = timedelta(days=30)


def turn_of(due_at: datetime, *, urgent: bool = False) -> datetime:
    """The key of the one order in which mails leave. Whatever is queued after this moment comes
    later, and so nothing is overtaken for ever."""
    return due_at - HEAD_START if urgent else due_at


class Delivery(Record):
    """The notification of one follower about one post; there is never a second.

    One mail may carry several deliveries: all that a reader is owed about one page when it leaves.
    """

    class State(models.TextChoices):
        # To be sent when `due_at` has come.
        WAITING = "waiting"
        # SES is being asked; the worker has until `claimed_until` to record the answer.
        SENDING = "sending"
        SENT = "sent"
        # SES will not have it, or not after many attempts.
        FAILED = "failed"
        # SES may have sent it: its answer is lost. It is not sent again.
        UNKNOWN = "unknown"
        # Nobody wanted it any more when it was to leave.
        SKIPPED = "skipped"

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    # Without an index of its own: delivery_once begins with it.
    post = models.ForeignKey(
        Post, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State, db_default=State.WAITING)
    due_at = models.DateTimeField(db_default=Now())
    # Of what is due, the earliest turn leaves first: `due_at`, and for a crowd later by the time
    # that SES takes for it.
    turn_at = models.DateTimeField(db_default=Now())
    # What somebody waits for, such as a link to a new password.
    urgent = models.BooleanField(db_default=False)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(db_default=0)
    # What went wrong the last time.
    error = models.TextField(db_default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["post", "recipient", "page"], name="delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                name="delivery_turn", fields=["turn_at", "id"], condition=Q(state="waiting")
            ),
            # What goes into one mail.
            models.Index(
                name="delivery_in_mail",
                fields=["page", "recipient", "id"],
                condition=Q(state="waiting"),
            ),
            models.Index(
                name="delivery_claimed", fields=["claimed_until"], condition=Q(state="sending")
            ),
            # For the operator's lists of failures.
            models.Index(
                name="delivery_failed",
                fields=["state", "-id"],
                condition=Q(state__in=["failed", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post_id} to {self.recipient_id}"

    @classmethod
    def lost(cls, now: datetime | Parameter) -> "QuerySet[Delivery]":
        """Whose worker has not recorded SES's answer in time."""
        return cls.objects.filter(state=cls.State.SENDING, claimed_until__lt=now)

    def move_to(self, due_at: datetime) -> None:
        self.due_at = due_at
        self.turn_at = turn_of(due_at, urgent=self.urgent)


class Suppression(Record):
    """An address that gets no mail, since a mail came back for good, its reader complained, or SES
    refuses to send there."""

    class Reason(models.TextChoices):
        BOUNCE = "bounce"
        COMPLAINT = "complaint"
        REFUSED = "refused"

    # As folded_email() returns it; of any account that has it now.
    address = models.CharField(max_length=320, unique=True)
    reason = models.CharField(max_length=10, choices=Reason)
    # What the other side has said.
    detail = models.TextField()
    happened_at = models.DateTimeField()
    # A person has decided to try again; only what happens after that counts anew.
    lifted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.address


class Quota(models.Model):
    """What SES allows this account, in one row: a bucket that fills by `rate` mails a second and
    holds those of one second. All workers draw from it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    rate = models.FloatField(db_default=1)
    tokens = models.FloatField(db_default=1)
    refilled_at = models.DateTimeField(db_default=Now())
    # Mails that may be sent before the next look at the account; None: as many as one likes.
    left_today = models.FloatField(null=True)
    # When somebody last asked SES for all this.
    checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(name="one_quota", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.rate} a second"
