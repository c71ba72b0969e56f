from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from innotter.accounts.models import User
from innotter.common.models import Record


class Export(Record):
    """The one archive of a user: being made, to be fetched, or given up.

    While it is made, the row says how far: what S3 has of it, and where the next file begins. So
    the worker that takes it over goes on where the last part ended.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State, db_default=State.RUNNING)
    # Rows written, of about so many in all.
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    # A worker is making it, until then; if nothing was said by then, another one does.
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    # Of the multipart upload: its id, and the tag of each part that S3 has.
    upload_id = models.TextField(default="", blank=True)
    parts = models.JSONField(default=list)
    # Of the archive: its bytes in those parts, the files in them, and where the next one begins.
    size = models.PositiveBigIntegerField(default=0)
    files = models.JSONField(default=list)
    position = models.JSONField(default=list)
    # When it is no longer offered.
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(name="export_running", fields=["id"], condition=Q(state="running")),
            models.Index(
                name="export_over", fields=["expires_at"], condition=Q(expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"

    @classmethod
    def unclaimed(cls, now: datetime) -> "QuerySet[Export]":
        """To be made, and made by nobody."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        return cls.objects.filter(free, state=cls.State.RUNNING)

    @property
    def progress(self) -> int:
        """Per cent; 100 only of one that is ready."""
        if self.state == self.State.READY:
            return 100
        return min(99, 100 * self.done // max(1, self.total))
