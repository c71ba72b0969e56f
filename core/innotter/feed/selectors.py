"""The feed, read from the posts themselves: never stale, never capped, nothing to rebuild."""

import math
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, OuterRef, Q, QuerySet, UUIDField
from django.db.models.expressions import RawSQL
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.compiled import compiled
from innotter.common.database import Composed, ExistsByIndex, IsOneOf
from innotter.common.pagination import BEFORE, NEWEST_FIRST, Range, Slice, Window, encode
from innotter.pages.models import Page
from innotter.pages.selectors import follows_of, visible_to
from innotter.posts.models import Post
from innotter.posts.selectors import shown
from innotter_contracts.ids import first_id_of

# Where there are fewer new posts than that, they are looked at for those that a viewer reads.
LOOKED_AT = 200
BEFORE_ALL, AFTER_ALL = UUID(int=0), UUID(int=2**128 - 1)
# For each page that is read beyond a few, so many posts of everybody are looked at for the feed
# first; and never more than so many.
FEW_PAGES, NEAR_POSTS_A_PAGE, MOST_NEAR_POSTS = 100, 5, 20_000
# Who reads more pages than that has so many of the newest posts asked for before their follows are
# read.
MANY_PAGES, FIRST_POSTS = 1_000, 100
# Seconds that a process goes on believing which post is the newest of all.
LOOK_EVERY = 1
# In which a post is committed after its id is made, on all clocks and replicas.
COMMITTED_WITHIN = timedelta(seconds=5)


class _Newest(NamedTuple):
    post: UUID = BEFORE_ALL
    # By the clock that never goes back.
    looked_at: float = -math.inf


_newest = _Newest()


def is_anything_newer(window: Window, *, may_look: bool = True) -> bool:
    """Whether any post, be it whose it may, is newer than the window's position, as the last look
    at the database says, which is one step into an index and LOOK_EVERY old at most. Where a look
    is due and may not be: True. Raises Invalid."""
    global _newest  # noqa: PLW0603 # of this process
    position, now = _position(window), time.monotonic()
    if now - _newest.looked_at >= LOOK_EVERY:
        if not may_look:
            return True
        # What can't be looked at stays unknown: the next one looks again.
        _newest = _Newest(next((post for (post,) in _newest_of_all()), BEFORE_ALL), now)
    return position < _newest.post


def new_in_feed(viewer: User, window: Window) -> int:
    """How many posts of the viewer's feed are newer than the window's position, at most its limit.

    While nothing is new anywhere it costs one step into an index, whatever the viewer follows.
    Raises Invalid.
    """
    pages = [page for (page,) in _newer_than(_position(window), LOOKED_AT)]
    if not pages:
        return 0
    if len(pages) == LOOKED_AT:
        # To ask which of so many pages the viewer reads costs more than the feed does.
        return len(feed_of(viewer, window))
    wanted = {page for (page,) in _read_among(viewer, list(set(pages)))}
    return min(sum(page in wanted for page in pages), window.limit)


def next_question(window: Window) -> str:
    """The cursor to go on with where nothing of the viewer's was newer: from a short while ago, if
    that is later. It names no post, because the newest may be one that the viewer doesn't see."""
    recent = first_id_of(timezone.now() - COMMITTED_WITHIN)
    return encode(BEFORE, max(_position(window), recent))


def _position(window: Window) -> UUID:
    position = window.of(NEWEST_FIRST).position or BEFORE_ALL
    assert isinstance(position, UUID)
    return position


@compiled
def _newest_of_all() -> QuerySet[Post, Any]:
    return Post.objects.order_by("-id").values_list("id")[:1]


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
    followed = ExistsByIndex(follows_of(viewer).filter(page=OuterRef("pk")))
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
# Mostly there are enough among the newest posts of all. To look at one of these takes a tenth of
# what a head takes, with the pages that are read in a hash table. So for each of these pages some
# are looked at first: in vain that costs a part of what the heads do, however much a page floods.
# The heads of a few pages cost no more than that look.
# `IS TRUE` for IN, which else becomes a join that reads them all.
#
# To read thousands of follows costs more than the rest of that. So where there are so many, the
# first posts are asked one by one whether they are read, which mostly is enough.
#
# On the way back it is the same with oldest for newest.
FEED = """ARRAY(
WITH first AS MATERIALIZED (
    SELECT post.id FROM (
        SELECT id, page_id FROM {nearest_of_all} AS nearest ORDER BY id {order}
        LIMIT CASE WHEN EXISTS ({followed} OFFSET {many_pages}) THEN {first_posts} ELSE 0 END
    ) AS post
    WHERE {is_read} ORDER BY post.id {order} LIMIT {wanted}
), first_is_enough AS (
    SELECT count(*) = {wanted} AS holds FROM first
), candidate (page) AS MATERIALIZED (
    {followed} UNION ALL {owned}
), near AS MATERIALIZED (
    SELECT id FROM first WHERE (SELECT holds FROM first_is_enough)
    UNION ALL
    (SELECT post.id FROM (
        SELECT id, page_id FROM {nearest_of_all} AS nearest ORDER BY id {order}
        LIMIT (SELECT {near_posts_a_page} * greatest(0, count(*) - {few_pages}) FROM candidate)
    ) AS post
    WHERE (post.page_id IN (SELECT page FROM candidate)) IS TRUE AND {is_near_visible}
        AND NOT (SELECT holds FROM first_is_enough)
    ORDER BY post.id {order} LIMIT {wanted})
), head AS MATERIALIZED (
    SELECT page, post FROM (
        SELECT candidate.page, {head} AS post FROM candidate ORDER BY post {order} OFFSET 0
    ) AS head
    WHERE post IS NOT NULL AND {is_head_visible}
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
    asked = _with_unknown_position(asked)
    order, wanted = "DESC" if asked.descending else "ASC", asked.limit + 1
    end, up_to = (BEFORE_ALL, "id__gte") if asked.descending else (AFTER_ALL, "id__lte")
    followed = follows_of(viewer).values("page")
    also_followed = ExistsByIndex(follows_of(viewer).filter(page=OuterRef("pk")))
    visible = Page.objects.filter(visible_to(viewer))
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
        many_pages=f"{MANY_PAGES}",
        first_posts=f"{FIRST_POSTS}",
        is_read=ExistsByIndex(_pages_read_by(viewer).filter(pk=_column("post.page_id"))),
        few_pages=f"{FEW_PAGES}",
        near_posts_a_page=f"{NEAR_POSTS_A_PAGE}",
        nearest_of_all=nearest_of_all[:MOST_NEAR_POSTS],
        is_near_visible=ExistsByIndex(visible.filter(pk=_column("post.page_id"))),
        followed=followed,
        owned=Page.objects.filter(~also_followed, owner=viewer.pk).values("pk"),
        head=posts_of_candidate.values("id")[:1],
        is_head_visible=ExistsByIndex(visible.filter(pk=_column("head.page"))),
        posts_of_head=posts_of_head.filter(**in_reach).values("id")[:wanted],
    )


def _with_unknown_position(asked: Range) -> Range:
    """The position looked up, so that the planner never knows it. Near the end of the list it would
    think a plan for each position cheaper than the one that is kept, and make one at each call."""
    if asked.position is None:
        return asked
    position: Any = Func(asked.position, template="(SELECT %(expressions)s)")
    return replace(asked, position=position)


def _column(name: str) -> RawSQL:
    """Of the statement around a queryset."""
    return RawSQL(name, (), UUIDField())  # noqa: S611 (names of ours)
