from typing import ClassVar

from django.db import models
from django.db.models import DO_NOTHING, Q
from django.db.models.functions import Length

from innotter.accounts.models import User
from innotter.common.models import Record
from innotter.pages.models import Page

# `content__length`, in code points.
models.TextField.register_lookup(Length)

MAX_LENGTH = 180


class Post(Record):
    """At most MAX_LENGTH code points on one page, perhaps in reply to another post."""

    # Without an index of its own, as `reply_to` is: those below begin with them.
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="posts", db_index=False)
    content = models.TextField()
    # A reply outlives its parent, and goes on naming it: the row that it names may be gone.
    reply_to = models.ForeignKey(
        "self",
        null=True,
        on_delete=DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="replies",
    )
    # The parent's page, for as long as that page is there: what the page has received is
    # counted by it even when the parent is gone.
    reply_to_page = models.ForeignKey(
        Page, null=True, on_delete=DO_NOTHING, db_constraint=False, related_name="replies_received"
    )
    likes_count = models.PositiveIntegerField(default=0)
    replies_count = models.PositiveIntegerField(default=0)

    # Of a post that is shown, see selectors.with_context.
    viewer_liked: bool
    visible_replies: int
    parent_visible: bool

    class Meta:
        indexes: ClassVar = [
            models.Index(name="post_of_page", fields=["page", "-id"]),
            models.Index(
                name="post_in_reply", fields=["reply_to", "id"], condition=Q(reply_to__isnull=False)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="post_length",
                condition=Q(content__length__gte=1, content__length__lte=MAX_LENGTH),
            ),
        ]

    def __str__(self) -> str:
        return self.content


class Like(Record):
    # `page` is the post's: every child of a page names it.
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="+")
    # The indexes below begin with these two.
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="likes", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="likes", db_index=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["post", "user", "page"], name="like_once"),
        ]
        indexes: ClassVar = [models.Index(name="like_of_user", fields=["user", "-id"])]

    def __str__(self) -> str:
        return f"{self.user_id} likes {self.post_id}"


class IdempotencyKey(Record):
    """A word under which a user had a post made, so that it is not made again."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    # SHA-256, in hexadecimal, of what was asked for.
    fingerprint = models.CharField(max_length=64)
    # The row outlives the post that it names.
    post = models.ForeignKey(
        Post, null=True, on_delete=DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once"),
        ]
        indexes: ClassVar = [models.Index(name="idempotency_key_age", fields=["created_at"])]

    def __str__(self) -> str:
        return f"{self.user_id} {self.key}"
