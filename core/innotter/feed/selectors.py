"""The feed, read from the posts themselves: never stale, never capped, nothing to rebuild."""

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, Func, OuterRef, Q, Subquery

from innotter.accounts.models import User
from innotter.common.pagination import Window
from innotter.pages.models import Page
from innotter.pages.selectors import follows_of, visible_to
from innotter.posts.models import Post
from innotter.posts.selectors import with_context


class Unnest(Func):
    function = "unnest"
    set_returning = True


def feed_of(user: User, window: Window) -> list[Post]:
    """The posts of the pages that the user follows or owns, as `Window.over` gives them.

    The newest n posts of many pages lie within the n pages whose own newest post is newest.
    So: one step into each page's index finds those pages, then n steps into each of theirs
    finds the posts. The cost grows with the pages followed, not with what they ever posted.
    """
    wanted = window.limit + 1
    of_page = window.bound(Post.objects.filter(page=OuterRef("pk"))).values("id")
    followed = follows_of(user).values("page")
    nearest = F("nearest").asc() if window.backwards else F("nearest").desc()
    pages = (
        Page.objects.filter(Q(pk__in=followed) | Q(owner=user))
        .filter(visible_to(user))
        .annotate(nearest=Subquery(of_page[:1]))
        .filter(nearest__isnull=False)
        .order_by(nearest)[:wanted]
    )
    found = Page.objects.filter(pk__in=pages.values("pk")).values(
        post=Unnest(ArraySubquery(of_page[:wanted]))
    )
    # Cut here already, or the planner looks for the many among all posts of the house.
    ids = found.order_by("post" if window.backwards else "-post")[:wanted]
    return window.over(with_context(Post.objects.filter(id__in=ids), user))
