from typing import ClassVar

from django.db import models
from django.db.models import Q

from innotter.common.models import Record

LONGEST_REASON = 500


class OutboxEvent(models.Model):
    """An event that waits to be published, or was published at `published_at`.

    `id`, `type` and `occurred_at` repeat what is in `body`, the event as it goes out. One that
    could not be published is deferred until `next_attempt_at`, so that it does not hold up the
    rest.
    """

    id = models.UUIDField(primary_key=True)
    type = models.CharField(max_length=60)
    body = models.JSONField()
    occurred_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    # Failed ones; and what went wrong the last time.
    attempts = models.PositiveIntegerField(db_default=0)
    error = models.TextField(db_default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(
                name="outbox_waiting",
                fields=["id"],
                condition=Q(published_at=None, next_attempt_at=None),
            ),
            models.Index(
                name="outbox_deferred",
                fields=["next_attempt_at"],
                condition=Q(published_at=None, next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class DiscardedLetter(Record):
    """A dead letter that was thrown away, without its body: that may hold what people wrote."""

    queue = models.CharField(max_length=60)
    # As in DeadLetter: of the event or of the task; empty where the message had none.
    letter_id = models.TextField()
    type = models.TextField()
    # Why it was dead; and why it was thrown away.
    died_of = models.TextField()
    reason = models.CharField(max_length=LONGEST_REASON)
    # The id of an admin; null: the operator, by the command.
    discarded_by = models.UUIDField(null=True)

    def __str__(self) -> str:
        return f"{self.queue} {self.letter_id}"


class Epoch(models.Model):
    """The number of a page's epoch, which began when it was last recounted. No row: never.

    Made of the moment, so that it is new even where a backup has brought an older one back.
    """

    page_id = models.UUIDField(primary_key=True)
    number = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.page_id} {self.number}"
