"""The feed, read from the posts themselves: never stale, never capped, nothing to rebuild."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import Exists, OuterRef, Q, QuerySet, UUIDField
from django.db.models.expressions import RawSQL

from innotter.accounts.models import User
from innotter.common.compiled import compiled
from innotter.common.database import Composed, IsOneOf
from innotter.common.pagination import NEWEST_FIRST, Range, Slice, Window
from innotter.pages.models import Page
from innotter.pages.selectors import follows_of, visible_to
from innotter.posts.models import Post
from innotter.posts.selectors import shown

# Of all new posts, so many are looked at for those that a viewer reads.
LOOKED_AT = 200
BEFORE_ALL, AFTER_ALL = UUID(int=0), UUID(int=2**128 - 1)
# From so many follows on, the feed is looked for among so many posts of everybody first, if the
# nearest of these are of so many pages.
MANY_FOLLOWS, NEAR_POSTS = 300, 2000
SAMPLE, FEW_PAGES = 100, 10


def is_anything_newer(window: Window) -> bool:
    """Whether any post, be it whose it may, is newer than the window's position: one step into an
    index. Raises Invalid."""
    return bool(_newer_than(_position(window), 1))


def new_in_feed(viewer: User, window: Window) -> int:
    """How many posts of the viewer's feed are newer than the window's position, at most its limit.

    While nothing is new anywhere it costs one step into an index, whatever the viewer follows.
    Raises Invalid.
    """
    pages = [page for (page,) in _newer_than(_position(window), LOOKED_AT)]
    if not pages:
        return 0
    wanted = {page for (page,) in _read_among(viewer, list(set(pages)))}
    found = sum(page in wanted for page in pages)
    if found < window.limit and len(pages) == LOOKED_AT:
        return len(feed_of(viewer, window))
    return min(found, window.limit)


def _position(window: Window) -> UUID:
    position = window.of(NEWEST_FIRST).position or BEFORE_ALL
    assert isinstance(position, UUID)
    return position


@compiled
def _newer_than(position: UUID, count: int) -> QuerySet[Post, Any]:
    """Of the newest posts, the pages."""
    newer = Post.objects.filter(id__gt=position).order_by("-id")
    return newer.values_list("page_id")[:count]


@compiled
def _read_among(viewer: User, pages: list[UUID]) -> QuerySet[Page, Any]:
    return _pages_read_by(viewer).filter(IsOneOf("pk", pages)).values_list("pk")


def _pages_read_by(viewer: User) -> QuerySet[Page]:
    """Those whose posts are in the viewer's feed."""
    followed = Exists(follows_of(viewer).filter(page=OuterRef("pk")))
    return Page.objects.filter(visible_to(viewer), Q(owner=viewer.pk) | followed)


def feed_of(viewer: User, window: Window) -> Slice[Post]:
    """The posts of the pages that the viewer follows or owns, newest first."""
    asked = window.of(NEWEST_FIRST)
    return asked.slice(_feed(viewer, asked))


# The newest n posts of many pages lie within the n pages whose own newest post is newest. So one
# step into each page's index finds its newest post, its head; in the order of the heads pages are
# looked at until there are n that may be seen; and of these pages no post older than the n-th head
# is needed. The cost grows with the pages followed, not with what they ever posted.
#
# Who follows many pages finds enough among the newest posts of all, mostly: then these alone are
# looked at. Not where a few pages write so much that they hide all others.
#
# On the way back it is the same with oldest for newest. `IS NOT NULL` for EXISTS, which the planner
# may turn into a join with all pages.
FEED = """ARRAY(
WITH worthwhile AS MATERIALIZED (
    SELECT (SELECT count(*) FROM {some_followed} AS followed) = {many}
        AND (SELECT count(DISTINCT page_id) FROM {sample} AS post) >= {few_pages} AS holds
), near AS MATERIALIZED (
    SELECT post.id FROM {nearest_of_all} AS post
    WHERE (SELECT holds FROM worthwhile) AND {page_of_near_post} IS NOT NULL
    ORDER BY post.id {order} LIMIT {wanted}
), head AS MATERIALIZED (
    SELECT page, post FROM (
        SELECT candidate.page, {head} AS post
        FROM ({followed} UNION ALL {owned}) AS candidate (page)
        ORDER BY post {order} OFFSET 0
    ) AS head
    WHERE post IS NOT NULL AND {page_of_head} IS NOT NULL
    ORDER BY post {order} LIMIT {wanted}
), farthest AS (
    SELECT coalesce((SELECT post FROM head ORDER BY post {order} OFFSET {limit} LIMIT 1), {end})
        AS post
), enough AS (SELECT count(*) = {wanted} AS holds FROM near)
SELECT id FROM near WHERE (SELECT holds FROM enough)
UNION ALL
SELECT id FROM (
    SELECT post.id FROM head, LATERAL {posts_of_head} AS post
    ORDER BY post.id {order} LIMIT {wanted}
) AS found WHERE NOT (SELECT holds FROM enough)
)"""


@compiled
def _feed(viewer: User, asked: Range) -> QuerySet[Post]:
    return shown(asked, _ids(viewer, asked), viewer)


def _ids(viewer: User, asked: Range) -> Composed:
    order, wanted = "DESC" if asked.descending else "ASC", asked.limit + 1
    end, up_to = (BEFORE_ALL, "id__gte") if asked.descending else (AFTER_ALL, "id__lte")
    followed = follows_of(viewer).values("page")
    also_followed = Exists(follows_of(viewer).filter(page=OuterRef("pk")))
    nearest_of_all = asked.bound(Post.objects.all()).values("id", "page_id")
    posts_of_candidate = asked.bound(Post.objects.filter(page=_column("candidate.page")))
    posts_of_head = asked.bound(Post.objects.filter(page=_column("head.page")))
    in_reach = {up_to: _column("(SELECT post FROM farthest)")}
    return Composed(
        FEED,
        ArrayField(UUIDField()),
        limit=f"{asked.limit}",
        wanted=f"{wanted}",
        end=f"'{end}'",
        order=order,
        many=f"{MANY_FOLLOWS}",
        some_followed=followed[:MANY_FOLLOWS],
        few_pages=f"{FEW_PAGES}",
        sample=nearest_of_all[:SAMPLE],
        nearest_of_all=nearest_of_all[:NEAR_POSTS],
        page_of_near_post=_pages_read_by(viewer).filter(pk=_column("post.page_id")).values("pk"),
        followed=followed,
        owned=Page.objects.filter(~also_followed, owner=viewer.pk).values("pk"),
        head=posts_of_candidate.values("id")[:1],
        page_of_head=Page.objects.filter(visible_to(viewer), pk=_column("head.page")).values("pk"),
        posts_of_head=posts_of_head.filter(**in_reach).values("id")[:wanted],
    )


def _column(name: str) -> RawSQL:
    """Of the statement around a queryset."""
    return RawSQL(name, (), UUIDField())  # noqa: S611 (names of ours)
