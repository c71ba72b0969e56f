from typing import ClassVar

from django.db import models

from innotter.accounts.models import User
from innotter.common.models import Record
from innotter.pages.models import Page
from innotter.posts.models import Post


class Delivery(Record):
    """The mail about one post to one follower; there is never a second."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="deliveries")
    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["post", "recipient", "page"], name="delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                name="delivery_waiting", fields=["post", "id"], condition=models.Q(sent_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post_id} to {self.recipient_id}"
