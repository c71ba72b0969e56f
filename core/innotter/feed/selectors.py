"""The feed, read from the posts themselves: never stale, never capped, nothing to rebuild."""

from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery

from innotter.accounts.models import User
from innotter.common.pagination import NEWEST_FIRST, Slice, Window
from innotter.pages.models import Page
from innotter.pages.selectors import follows_of, visible_to
from innotter.posts.models import Post
from innotter.posts.selectors import with_context


class Unnest(Func):
    function = "unnest"
    set_returning = True


class IsOneOf(Func):
    """Finds rows by their index, whatever the planner thinks of the ids. With `in` it may read the
    whole table and compare, where the ids have cost so much that it calls that little."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


# Of all new posts, so many are looked at for those that a viewer reads.
LOOKED_AT = 200
BEFORE_ALL = UUID(int=0)


def is_anything_newer(window: Window) -> bool:
    """Whether any post, be it whose it may, is newer than the window's position: one step into an
    index. Raises Invalid."""
    return bool(_newer_than(window).values_list("page_id")[:1])


def new_in_feed(viewer: User, window: Window) -> int:
    """How many posts of the viewer's feed are newer than the window's position, at most its limit.

    While nothing is new anywhere it costs one step into an index, whatever the viewer follows.
    Raises Invalid.
    """
    pages = list(_newer_than(window).values_list("page_id", flat=True)[:LOOKED_AT])
    if not pages:
        return 0
    read = Q(owner=viewer) | Exists(follows_of(viewer).filter(page=OuterRef("pk")))
    ours = Page.objects.filter(visible_to(viewer), read, pk__in=set(pages))
    wanted = set(ours.values_list("pk", flat=True))
    found = sum(page in wanted for page in pages)
    if found < window.limit and len(pages) == LOOKED_AT:
        return len(feed_of(viewer, window))
    return min(found, window.limit)


def _newer_than(window: Window) -> QuerySet[Post]:
    position = window.of(NEWEST_FIRST).position or BEFORE_ALL
    return Post.objects.filter(id__gt=position).order_by("-id")


def feed_of(viewer: User, window: Window) -> Slice[Post]:
    """The posts of the pages that the viewer follows or owns, newest first.

    The newest n posts of many pages lie within the n pages whose own newest post is newest.
    So: one step into each page's index finds those pages, then n steps into each of theirs
    finds the posts. The cost grows with the pages followed, not with what they ever posted.
    """
    asked, wanted = window.of(NEWEST_FIRST), window.limit + 1
    of_page = asked.bound(Post.objects.filter(page=OuterRef("pk"))).values("id")
    # Both by an index: with an OR between them all pages would be looked at.
    candidates = follows_of(viewer).values("page").union(viewer.pages.values("pk"), all=True)
    # Pages without such a post come last and add nothing.
    order = F("nearest").asc if asked.backwards else F("nearest").desc
    pages = (
        Page.objects.filter(visible_to(viewer), pk__in=candidates)
        .annotate(nearest=Subquery(of_page[:1]))
        .order_by(order(nulls_last=True))[:wanted]
    )
    found = Page.objects.filter(IsOneOf("pk", ArraySubquery(pages.values("pk")))).values(
        post=Unnest(ArraySubquery(of_page[:wanted]))
    )
    ids = found.order_by("post" if asked.backwards else "-post")[:wanted]
    posts = Post.objects.filter(IsOneOf("id", ArraySubquery(ids)))
    return window.slice(with_context(posts, viewer))
