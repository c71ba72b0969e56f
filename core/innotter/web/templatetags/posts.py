"""A post wherever it stands."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django import template
from django.template.context import RequestContext
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from innotter.accounts.selectors import Viewer
from innotter.posts.models import MAX_LENGTH, Post
from innotter.web.forms import PostForm
from innotter.web.templatetags.web import (
    isolated,
    post_url,
    remembered,
    rendered,
    when,
    with_token,
)

register = template.Library()

POST = "web/post.html#post"


# Stands for a form's key, as TOKEN for the reader's token.
KEY = SafeString("<key>")


class ShownComposer(NamedTuple):
    """All that web/composer.html is given; the form's key is put in afterwards."""

    url: str
    # What is being written, as the browser keeps it.
    draft: str
    is_reply: bool
    autofocus: bool
    content: str
    # Their uuids and names, and which of them is offered first.
    pages: tuple[tuple[str, str], ...]
    chosen: str
    errors: tuple[str, ...]
    # The fields that have some.
    wrong: frozenset[str]
    key: SafeString = KEY
    longest: int = MAX_LENGTH


class Reader(NamedTuple):
    """As far as posts differ from one to the other."""

    # None of a stranger.
    id: UUID | None
    signed_in: bool
    moderator: bool


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


def reader_of(user: Viewer) -> Reader:
    return Reader(
        id=user.id,
        signed_in=user.is_authenticated,
        moderator=user.is_authenticated and user.is_moderator,
    )


@register.simple_tag(takes_context=True)
def show_posts(context: RequestContext, posts: Iterable[Post]) -> SafeString:
    """Those of a list, one of posts.selectors. What is the same for all is looked at once, which a
    loop of the template's can't."""
    reader, language = reader_of(context["user"]), get_language()
    shown = (shown_post(post, reader) for post in posts)
    return with_token(context, "".join(rendered(POST, language, post=post) for post in shown))


@register.simple_tag(takes_context=True)
def show_post(context: RequestContext, post: Post, **place: Any) -> SafeString:
    """One of posts.selectors; its place as in shown_post()."""
    return remembered(context, POST, post=shown_post(post, reader_of(context["user"]), **place))


def shown_post(
    post: Post,
    reader: Reader,
    *,
    main: bool = False,
    asked: bool = False,
    threaded: Any = False,
    depth: int = 0,
) -> ShownPost:
    """`threaded` where what it answers stands above it; the rest as the fields' names."""
    page = post.page
    like = like_button(post, reader, asked=asked)
    return ShownPost(
        id=post.id,
        url=like.post_url,
        page=ShownPage(page.uuid, page.name, page.image_id),
        content=post.content,
        time=when(post.created_at, exact=main),
        is_edited=post.updated_at != post.created_at,
        parent=_parent(post, threaded),
        visible_replies=post.visible_replies,
        like=like,
        signed_in=reader.signed_in,
        mine=page.owner_id == reader.id,
        moderator=reader.moderator,
        main=main,
        depth=depth,
    )


def like_button(post: Post, reader: Reader, *, asked: bool = False) -> LikeButton:
    return LikeButton(
        post_id=post.id,
        post_url=post_url(post),
        is_liked=post.viewer_liked,
        likes=post.likes_count,
        signed_in=reader.signed_in,
        asked=asked,
    )


@register.simple_tag(takes_context=True)
def show_composer(
    context: RequestContext, form: PostForm, *, draft: str, reply_to: Post | None = None
) -> SafeString:
    """`draft` names what is being written."""
    errors = form.errors
    shown = ShownComposer(
        url=post_url(reply_to) if reply_to else "/",
        draft=str(draft),
        is_reply=reply_to is not None,
        autofocus=bool(context.get("replying")),
        content=form["content"].value() or "",
        pages=tuple(form.pages),
        chosen=form["page"].value() or "",
        errors=tuple(str(error) for of_field in errors.values() for error in of_field),
        wrong=frozenset(errors),
    )
    # What is being written may be long, and nobody else is shown it: it isn't remembered.
    render = rendered.__wrapped__ if form.is_bound or shown.content else rendered
    html = with_token(context, render("web/composer.html", get_language(), composer=shown))
    return SafeString(html.replace(KEY, escape(form["key"].value() or "")))


def _parent(post: Post, threaded: Any) -> Parent | None:
    if not post.reply_to_id or (threaded and post.parent_visible):
        return None
    if post.reply_to is None or not post.parent_visible:
        return Parent()
    return Parent(post_url(post.reply_to), isolated(post.reply_to.page.name))
