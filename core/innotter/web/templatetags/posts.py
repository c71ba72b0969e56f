"""A post wherever it stands."""

from typing import Any, NamedTuple
from uuid import UUID

from django import template
from django.template.context import RequestContext
from django.utils.safestring import SafeString

from innotter.accounts.selectors import Viewer
from innotter.posts.models import Post
from innotter.web.templatetags.web import isolated, post_url, remembered, when

register = template.Library()


class ShownPage(NamedTuple):
    uuid: str
    name: str
    image_id: str | None


class Parent(NamedTuple):
    """What a reply answers; nothing of it where the reader may not know of it."""

    url: str = ""
    name: str = ""


class LikeButton(NamedTuple):
    post_id: UUID
    post_url: str
    is_liked: bool
    likes: int
    signed_in: bool
    # The reader pressed it before they logged in.
    asked: bool


class ShownPost(NamedTuple):
    """All that web/post.html is given: a post, who reads it, and where it stands. No row and no
    request: what is shown of a post is a field here, and so one of those by which it is remembered.
    """

    id: UUID
    url: str
    page: ShownPage
    content: str
    # A <time> of the reader's clocks, in the words of the moment.
    time: SafeString
    is_edited: bool
    # Of a reply that does not stand below it.
    parent: Parent | None
    visible_replies: int
    like: LikeButton
    signed_in: bool
    mine: bool
    moderator: bool
    # On its own page, where its controls are at home.
    main: bool
    # How far it stands in.
    depth: int


@register.simple_tag(takes_context=True)
def show_post(context: RequestContext, post: Post, **place: Any) -> SafeString:
    """`post` is one of posts.selectors; its place as in shown_post()."""
    shown = shown_post(post, context["user"], **place)
    return remembered(context, "web/post.html#post", post=shown)


def shown_post(
    post: Post,
    reader: Viewer,
    *,
    main: bool = False,
    asked: bool = False,
    threaded: Any = False,
    depth: int = 0,
) -> ShownPost:
    """`threaded` where what it answers stands above it; the rest as the fields' names."""
    return ShownPost(
        id=post.id,
        url=post_url(post),
        page=ShownPage(post.page.uuid, post.page.name, post.page.image_id),
        content=post.content,
        time=when(post.created_at, exact=main),
        is_edited=post.updated_at != post.created_at,
        parent=_parent(post, threaded),
        visible_replies=post.visible_replies,
        like=like_button(post, reader, asked=asked),
        signed_in=reader.is_authenticated,
        mine=post.page.owner_id == reader.id,
        moderator=reader.is_authenticated and reader.is_moderator,
        main=main,
        depth=depth,
    )


def like_button(post: Post, reader: Viewer, *, asked: bool = False) -> LikeButton:
    return LikeButton(
        post_id=post.id,
        post_url=post_url(post),
        is_liked=post.viewer_liked,
        likes=post.likes_count,
        signed_in=reader.is_authenticated,
        asked=asked,
    )


def _parent(post: Post, threaded: Any) -> Parent | None:
    if not post.reply_to_id or (threaded and post.parent_visible):
        return None
    if post.reply_to is None or not post.parent_visible:
        return Parent()
    return Parent(post_url(post.reply_to), isolated(post.reply_to.page.name))
