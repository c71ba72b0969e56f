import re
import secrets
import unicodedata
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.models import Record, Revised
from innotter.common.text import without_idle
from innotter.media.models import Picture

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 1_000
MAX_TAGS, LONGEST_TAG = 10, 30


def new_uuid() -> str:
    """A uuid for a page whose owner chose none: 11 characters, 64 bits."""
    return secrets.token_urlsafe(8)


def normal_tag(name: str) -> str:
    """A tag's name as we keep it, however it was written. Of a normal name it is that name."""
    # Longer than any form of a tag; and normalizing takes time by the square of marks.
    if len(name) > 4 * LONGEST_TAG:
        return name
    lower = without_idle(unicodedata.normalize("NFKC", name)).lower()
    # Once more after lower(), which can leave letters apart that NFKC joins.
    # All other spaces are one by now; line breaks stay, to be refused.
    return re.sub(r"[ \u1680]+", " ", unicodedata.normalize("NFKC", lower)).strip()


class Tag(Record):
    """Words that pages are found by: as `normal_tag` makes them, 1 to LONGEST_TAG characters."""

    # In the order of code points, so that one index serves the list of tags, its cursor, and the
    # question what a tag begins with.
    name = models.CharField(max_length=LONGEST_TAG, unique=True, db_collation="C")

    def __str__(self) -> str:
        return self.name


class Page(Revised, Record):
    """What people follow. `uuid` is its public name in URLs and may change; `id` never does."""

    # page_of_owner begins with it.
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="pages", db_index=False)
    uuid = models.CharField(
        max_length=30,
        default=new_uuid,
        validators=[RegexValidator(r"^[A-Za-z0-9_-]+\Z", "Letters a-z, digits, '_' and '-'.")],
    )
    name = models.CharField(max_length=LONGEST_NAME)
    description = models.CharField(max_length=LONGEST_DESCRIPTION, blank=True)
    image = models.ForeignKey(
        Picture,
        null=True,
        to_field="name",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    tags = models.ManyToManyField(Tag, related_name="pages", blank=True)
    is_private = models.BooleanField(default=False)
    # A block lasts until a moment or, with `blocked_for_good`, has no end. The block of
    # the owner is not copied here: see selectors.is_blocked.
    blocked_for_good = models.BooleanField(default=False)
    unblock_date = models.DateTimeField(null=True, blank=True)
    followers_count = models.PositiveIntegerField(default=0)
    posts_count = models.PositiveIntegerField(default=0)

    # Of a page that is shown, see selectors.with_profile: `none`, `requested` or `following`.
    viewer_follow: str
    viewer_is_owner: bool
    # Whether the viewer may see what is on it, see selectors.open_page_at.
    is_open: bool
    tag_names: list[str]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("uuid"), name="page_uuid_unique"),
        ]
        indexes: ClassVar = [
            models.Index(name="page_of_owner", fields=["owner", "-id"]),
            models.Index(
                name="page_with_image", fields=["image"], condition=Q(image__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.uuid})"

    @property
    def is_blocked(self) -> bool:
        """For one page in hand, its owner with it; lists ask selectors.is_blocked."""
        return self.own_block_runs or self.owner.is_hidden

    @property
    def own_block_runs(self) -> bool:
        """Whether the page itself is blocked, whatever became of its owner."""
        runs = self.unblock_date is not None and self.unblock_date > timezone.now()
        return self.blocked_for_good or runs


class FormerUuid(Record):
    """A uuid that a page had, lower-case: reserved for the page's owner until a moment."""

    uuid = models.CharField(max_length=30, unique=True)
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="former_uuids")
    reserved_until = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(name="former_uuid_end", fields=["reserved_until"])]

    def __str__(self) -> str:
        return self.uuid


class Follow(Record):
    """A user follows a page since `accepted_at`, or waits for that: one row, so never both."""

    # Without an index of its own: follow_once begins with it.
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="follows", db_index=False)
    # And here follow_by_user does.
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="follows", db_index=False)
    accepted_at = models.DateTimeField(null=True)
    # Since when the follower wants no mail about this page; following anew resets it.
    muted_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["page", "user"], name="follow_once"),
        ]
        indexes: ClassVar = [
            models.Index(name="follow_by_user", fields=["user", "-id"]),
            models.Index(
                name="follow_of_user",
                fields=["user", "page"],
                condition=Q(accepted_at__isnull=False),
            ),
            models.Index(
                name="follower_of_page",
                fields=["page", "-id"],
                condition=Q(accepted_at__isnull=False),
            ),
            models.Index(
                name="follow_request_of_page",
                fields=["page", "id"],
                condition=Q(accepted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {'follows' if self.accepted_at else 'asks'} {self.page_id}"
