from typing import ClassVar

from django.db import models


class OutboxEvent(models.Model):
    """An event that the world has not been told of yet, or was told of at `published_at`.

    `id`, `type` and `occurred_at` repeat what is in `body`, the event as it goes out.
    """

    id = models.UUIDField(primary_key=True)
    type = models.CharField(max_length=60)
    body = models.JSONField()
    occurred_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                name="outbox_waiting", fields=["id"], condition=models.Q(published_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
