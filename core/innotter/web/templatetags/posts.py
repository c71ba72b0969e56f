"""A post wherever it stands."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django import template
from django.template.context import RequestContext
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from innotter.accounts.selectors import Viewer
from innotter.pages.models import Page
from innotter.posts.models import MAX_LENGTH, Post
from innotter.web.forms import PostForm, new_key
from innotter.web.templatetags.web import (
    Age,
    age_of,
    isolated,
    post_url,
    remembered,
    rendered,
    time_element,
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
    errors: tuple[str, ...] = ()
    # The fields that have some.
    wrong: frozenset[str] = frozenset()
    key: SafeString = KEY
    longest: int = MAX_LENGTH


class Reader(NamedTuple):
    """As far as posts differ from one to the other."""

    # None of a stranger.
    id: UUID | None
    signed_in: bool
    moderator: bool
    clocks: str


class ShownPage(NamedTuple):
    uuid: str
    name: str
    image_id: str | None


class Parent(NamedTuple):
    """What a reply answers; nothing of it where the reader may not know of it."""

    id: UUID | None = None
    page_uuid: str = ""
    page_name: str = ""

    @property
    def url(self) -> str:
        return f"/@{self.page_uuid}/{self.id}" if self.id else ""

    @property
    def name(self) -> str:
        return isolated(self.page_name)


class LikeButton(NamedTuple):
    post_id: UUID
    post_url: str
    is_liked: bool
    likes: int
    signed_in: bool
    # The reader pressed it before they logged in.
    asked: bool = False


class ShownPost(NamedTuple):
    """All that web/post.html is given: a post, who reads it, and where it stands. No row and no
    request: what is shown of a post is a field here, and so one of those by which it is remembered,
    or a property, which is made of them only where it isn't.
    """

    id: UUID
    page_uuid: str
    page_name: str
    page_image_id: str | None
    content: str
    created_at: datetime
    # None where the moment itself is shown.
    age: Age | None
    clocks: str
    is_edited: bool
    # Of a reply that does not stand below it.
    parent: Parent | None
    visible_replies: int
    is_liked: bool
    likes: int
    signed_in: bool
    mine: bool
    moderator: bool
    # On its own page, where its controls are at home.
    main: bool
    # How far it stands in.
    depth: int
    # As of LikeButton.
    asked: bool

    @property
    def url(self) -> str:
        return f"/@{self.page_uuid}/{self.id}"

    @property
    def page(self) -> ShownPage:
        return ShownPage(self.page_uuid, self.page_name, self.page_image_id)

    @property
    def time(self) -> SafeString:
        return time_element(self.created_at, self.age, get_language(), self.clocks)

    @property
    def like(self) -> LikeButton:
        return LikeButton(
            self.id, self.url, self.is_liked, self.likes, self.signed_in, asked=self.asked
        )


def reader_of(user: Viewer) -> Reader:
    """By the clocks that are in force."""
    return Reader(
        id=user.id,
        signed_in=user.is_authenticated,
        moderator=user.is_authenticated and user.is_moderator,
        clocks=timezone.get_current_timezone_name(),
    )


@register.simple_tag(takes_context=True)
def show_posts(context: RequestContext, posts: Iterable[Post]) -> SafeString:
    """Those of a list, one of posts.selectors."""
    return with_token(context, "".join(posts_of(posts, context["user"])))


def posts_of(posts: Iterable[Post], user: Viewer) -> list[SafeString]:
    """Each with TOKEN in place of the reader's token. What is the same for all is looked at once,
    which a loop of a template's can't."""
    reader, language, now = reader_of(user), get_language(), timezone.now()
    return [rendered(POST, language, post=shown_post(post, reader, now)) for post in posts]


@register.simple_tag(takes_context=True)
def show_post(context: RequestContext, post: Post, **place: Any) -> SafeString:
    """One of posts.selectors; its place as in shown_post()."""
    shown = shown_post(post, reader_of(context["user"]), timezone.now(), **place)
    return remembered(context, POST, post=shown)


def shown_post(
    post: Post,
    reader: Reader,
    now: datetime,
    *,
    main: bool = False,
    asked: bool = False,
    threaded: Any = False,
    depth: int = 0,
) -> ShownPost:
    """`threaded` where what it answers stands above it; the rest as the fields' names."""
    page = post.page
    return ShownPost(
        id=post.id,
        page_uuid=page.uuid,
        page_name=page.name,
        page_image_id=page.image_id,
        content=post.content,
        created_at=post.created_at,
        age=None if main else age_of(post.created_at, now),
        clocks=reader.clocks,
        is_edited=post.updated_at != post.created_at,
        parent=_parent(post, threaded) if post.reply_to_id else None,
        visible_replies=post.visible_replies,
        is_liked=post.viewer_liked,
        likes=post.likes_count,
        signed_in=reader.signed_in,
        mine=page.owner_id == reader.id,
        moderator=reader.moderator,
        main=main,
        depth=depth,
        asked=asked,
    )


def like_button(post: Post, reader: Reader) -> LikeButton:
    return LikeButton(
        post.id, post_url(post), post.viewer_liked, post.likes_count, reader.signed_in
    )


def _parent(post: Post, threaded: Any) -> Parent | None:
    if threaded and post.parent_visible:
        return None
    if post.reply_to is None or not post.parent_visible:
        return Parent()
    page = post.reply_to.page
    return Parent(post.reply_to.id, page.uuid, page.name)


@register.simple_tag(takes_context=True)
def show_composer(context: RequestContext, composer: str) -> SafeString:
    """As composer_for() gives it."""
    return with_token(context, composer)


def composer_for(
    pages: Sequence[Page],
    sent: PostForm | None,
    *,
    reply_to: Post | None = None,
    text: str = "",
    chosen: str = "",
    autofocus: bool = False,
) -> SafeString:
    """Where one writes as one of the pages, if there are any, with TOKEN in place of the reader's
    token: as it was sent and refused, or else with a text that was written before a login, and the
    page that is offered first."""
    if not pages:
        return SafeString("")
    shown = ShownComposer(
        url=post_url(reply_to) if reply_to else "/",
        draft=str(reply_to.id) if reply_to else "new",
        is_reply=reply_to is not None,
        autofocus=autofocus,
        content=text,
        pages=tuple((page.uuid, page.name) for page in pages),
        chosen=chosen,
    )
    if sent:
        shown, key = _as_sent(shown, sent), sent["key"].value() or ""
    else:
        key = new_key()
    # What is being written may be long, and nobody else is shown it: it isn't remembered.
    render = rendered.__wrapped__ if sent or text else rendered
    html = render("web/composer.html", get_language(), composer=shown)
    return SafeString(html.replace(KEY, escape(key)))


def _as_sent(shown: ShownComposer, form: PostForm) -> ShownComposer:
    errors = form.errors
    return shown._replace(
        content=form["content"].value() or "",
        chosen=form["page"].value() or "",
        errors=tuple(str(error) for of_field in errors.values() for error in of_field),
        wrong=frozenset(errors),
    )
