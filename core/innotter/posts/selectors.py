from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from innotter.accounts.models import User
from innotter.accounts.selectors import Viewer
from innotter.common.compiled import Statement, compiled
from innotter.common.database import CountOfFirst, IsOneOf
from innotter.common.errors import NotFound
from innotter.common.pagination import NEWEST_FIRST, OLDEST_FIRST, Key, Range, Slice, Window
from innotter.pages.models import Follow, Page
from innotter.pages.selectors import PagePrivate, findable_by, open_page_at, visible_to
from innotter.posts.models import Like, Post

LATEST_LIKE_FIRST = Key("like_id")

# What a post shows nothing of: of its page, and of the post that it answers. As of users it is what
# is left out, so that a new field comes with them (decision 177).
NOT_OF_PAGE = (
    "created_at",
    "updated_at",
    "revision",
    "description",
    "blocked_for_good",
    "unblock_date",
    "followers_count",
    "posts_count",
)
NOT_OF_PARENT = (
    "created_at",
    "updated_at",
    "content",
    "reply_to",
    "reply_to_page",
    "likes_count",
    "replies_count",
)
UNREAD = (
    *(f"page__{column}" for column in NOT_OF_PAGE),
    *(f"reply_to__{column}" for column in NOT_OF_PARENT),
    *(f"reply_to__page__{column}" for column in NOT_OF_PAGE),
)


def posts_for(viewer: Viewer) -> QuerySet[Post]:
    """The posts that the viewer may see, with all that a post shows."""
    return with_context(Post.objects.filter(visible_to(viewer, "page__")), viewer)


def with_context(posts: QuerySet[Post], viewer: Viewer) -> QuerySet[Post]:
    """`viewer_liked`; `visible_replies`, how many replies the viewer may see; `parent_visible`,
    whether the post that this one answers may be named."""
    liked: Exists | Value = Value(False)
    if isinstance(viewer, User):
        liked = Exists(
            Like.objects.filter(post=OuterRef("pk"), page=OuterRef("page"), user=viewer.pk)
        )
    parent_visible = ExpressionWrapper(
        visible_to(viewer, "reply_to__page__"), output_field=BooleanField()
    )
    shown = posts.select_related("page", "reply_to__page").defer(*UNREAD)
    return shown.annotate(  # type: ignore[no-redef] # a model says what it is
        viewer_liked=liked,
        parent_visible=parent_visible,
        visible_replies=_replies_visible_to(viewer),
    )


def post_at(post_id: UUID, viewer: Viewer) -> Post:
    """Raises NotFound; PagePrivate where the page may be found and its posts may not be read."""
    for post in posts_among([post_id], viewer):
        return post
    if Post.objects.filter(findable_by(viewer, "page__"), id=post_id).exists():
        raise PagePrivate
    raise NotFound


def posts_among(ids: list[UUID], viewer: Viewer) -> list[Post]:
    """Those of these ids that the viewer may see, in no order."""
    return _posts_among(ids, viewer)


@compiled
def _posts_among(ids: list[UUID], viewer: Viewer) -> QuerySet[Post]:
    return posts_for(viewer).filter(IsOneOf("id", ids))


def newest_posts(viewer: Viewer, window: Window) -> Slice[Post]:
    """Of everybody, those that the viewer may see, newest first."""
    asked = window.of(NEWEST_FIRST)
    return asked.slice(_newest_posts(viewer, asked))


@compiled
def _newest_posts(viewer: Viewer, asked: Range) -> QuerySet[Post]:
    return asked.bound(posts_for(viewer))[: asked.limit + 1]


def posts_of(uuid: str, viewer: Viewer, window: Window) -> Slice[Post]:
    """Of the page at this uuid, newest first. Raises NotFound, PagePrivate."""
    asked = window.of(NEWEST_FIRST)
    found = _posts_of(uuid.lower(), viewer, asked)
    if not found:
        open_page_at(uuid, viewer)
    return asked.slice(found)


@compiled
def _posts_of(uuid: str, viewer: Viewer, asked: Range) -> QuerySet[Post]:
    page = Page.objects.filter(visible_to(viewer), uuid__lower=uuid)
    posts = Post.objects.filter(page=Subquery(page.values("pk")[:1]))
    return first_of(asked, posts, viewer)


def replies_to(post_id: UUID, viewer: Viewer, window: Window) -> Slice[Post]:
    """Those that the viewer may see, oldest first. Raises NotFound, PagePrivate."""
    asked = window.of(OLDEST_FIRST)
    found = _replies_to(post_id, viewer, asked)
    if not found:
        post_at(post_id, viewer)
    return asked.slice(found)


@compiled
def _replies_to(post_id: UUID, viewer: Viewer, asked: Range) -> QuerySet[Post]:
    parent = Post.objects.filter(visible_to(viewer, "page__"), pk=post_id)
    replies = Post.objects.filter(
        visible_to(viewer, "page__"), reply_to=Subquery(parent.values("pk")[:1])
    )
    return first_of(asked, replies, viewer)


def first_of(asked: Range, posts: QuerySet[Post], viewer: Viewer) -> QuerySet[Post]:
    """The rows that are asked for and one more, found by their ids: what else is shown of a post is
    looked up for these alone. For compiled reads."""
    return shown(asked, ArraySubquery(asked.bound(posts).values("id")[: asked.limit + 1]), viewer)


def shown(asked: Range, ids: Combinable, viewer: Viewer) -> QuerySet[Post]:
    return asked.ordered(with_context(Post.objects.filter(IsOneOf("id", ids)), viewer))


def liked_by(user: User, window: Window) -> Slice[Post]:
    """The posts that the user likes and may see, latest like first."""
    asked = window.of(LATEST_LIKE_FIRST)
    return asked.slice(_liked_by(user, asked))


@compiled
def _liked_by(user: User, asked: Range) -> QuerySet[Post]:
    liked = posts_for(user).filter(likes__user=user.pk)
    liked = liked.annotate(like_id=F("likes__id"), viewer_liked=Value(True))  # type: ignore[no-redef] # a model says what it is
    return asked.bound(liked)[: asked.limit + 1]


def _replies_visible_to(viewer: Viewer) -> Case | F:
    """The stored count would tell of replies that the viewer may not know of (decision 10)."""
    if isinstance(viewer, User) and viewer.is_moderator:
        return F("replies_count")
    replies = Post.objects.filter(reply_to=OuterRef("pk")).order_by("id")
    visible = CountOfFirst(replies, visible_to(viewer, "page__"))
    return Case(When(replies_count=0, then=Value(0)), default=visible)


@dataclass(frozen=True)
class WrongCount:
    """A stored count that is not the truth."""

    row: Page | Post
    field: str
    stored: int
    truth: int


# Each stored count, whose it is, and the rows that it counts by their key to it.
COUNTS: dict[str, tuple[type[Page] | type[Post], QuerySet[Any], str]] = {
    "followers_count": (Page, Follow.objects.filter(accepted_at__isnull=False), "page"),
    "posts_count": (Page, Post.objects.all(), "page"),
    "likes_count": (Post, Like.objects.all(), "post"),
    "replies_count": (Post, Post.objects.all(), "reply_to"),
}


def wrong_counts() -> Iterator[WrongCount]:
    """The stored counts that differ from the truth, each kind as at one moment."""
    for field in COUNTS:
        for row in counted(field).exclude(**{field: F("truth")}).iterator():
            yield WrongCount(row, field, stored=getattr(row, field), truth=row.truth)


def counted(field: str) -> QuerySet[Any]:
    """All rows with a stored count of this name, each with its `truth`."""
    model, things, key = COUNTS[field]
    count = things.filter(**{key: OuterRef("pk")}).values(key).values(count=Count("pk"))
    return model._default_manager.annotate(truth=Coalesce(Subquery(count), 0))


# Of a thread: so many posts above the one that is read, and so many below it.
MOST_ABOVE = 20
MOST_BELOW = 100
# Those above have negative depths. Those below are found level by level, so that the limit ends the
# search; `path` puts each reply below its parent.
AROUND = Statement(
    """
    WITH RECURSIVE chain AS (
        SELECT reply_to_id AS id, 1 AS distance FROM posts_post WHERE id = %s
        UNION ALL
        SELECT parent.reply_to_id, chain.distance + 1
        FROM chain JOIN posts_post AS parent ON parent.id = chain.id
        WHERE chain.distance < %s
    ), tree AS (
        SELECT id, 1 AS depth, ARRAY[id] AS path FROM posts_post WHERE reply_to_id = %s
        UNION ALL
        SELECT reply.id, tree.depth + 1, tree.path || reply.id
        FROM tree JOIN posts_post AS reply ON reply.reply_to_id = tree.id
    ), found AS (
        SELECT *, row_number() OVER () AS place
        FROM (SELECT * FROM tree LIMIT %s) AS nearest
    )
    SELECT id, -distance AS depth, 0 AS place, NULL AS path FROM chain WHERE id IS NOT NULL
    UNION ALL SELECT id, depth, place, path FROM found
    ORDER BY path NULLS FIRST, depth
    """,
    order=[0, 1, 0, 2],
    row=lambda row: row[:3],
)


@dataclass(frozen=True)
class Thread:
    """What stands around a post: `above` from the first on, `below` each with its depth from 1."""

    above: list[Post]
    below: list[tuple[Post, int]]
    # There are more replies than are shown.
    is_cut: bool


def thread_of(post: Post, viewer: Viewer) -> Thread:
    """What the viewer may see of it. In two statements, however deep it is.

    What they may not see leaves a gap, and what answers it stays where it was.
    """
    found = AROUND.rows([post.id, MOST_ABOVE, MOST_BELOW + 1])
    # Of more than are shown, the farthest goes, wherever it would stand.
    around = [(key, depth) for key, depth, place in found if place <= MOST_BELOW]
    seen = {each.id: each for each in posts_among([key for key, _ in around], viewer)}
    shown = [(seen[key], depth) for key, depth in around if key in seen]
    return Thread(
        above=[post for post, depth in shown if depth < 0],
        below=[(post, depth) for post, depth in shown if depth > 0],
        is_cut=len(around) < len(found),
    )
