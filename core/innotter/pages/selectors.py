"""Reading pages, and the one place where it is written who may see what."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from innotter.accounts.actors import System
from innotter.accounts.models import User
from innotter.accounts.selectors import Viewer, hidden, shown_to
from innotter.common.compiled import compiled, now
from innotter.common.database import CountOfFirst, begins_with
from innotter.common.errors import Forbidden, NotFound
from innotter.common.pagination import (
    MAX_LIMIT,
    NEWEST_FIRST,
    OLDEST_FIRST,
    Key,
    Range,
    Slice,
    Window,
)
from innotter.pages.models import Follow, FormerUuid, Page, Tag, normal_tag

LATEST_FOLLOW_FIRST = Key("follow_id")
BY_NAME = Key("name", is_text=True, newest_first=False)


class PagePrivate(Forbidden):
    code = "page_private"
    detail = "This page is private. Follow it to see its posts."


def is_blocked(page: str = "") -> Q:
    """A page is blocked while its own block runs or its owner is blocked or leaving.

    `page` is the way from the queryset's model to the page, such as `reply_to__page__`.
    """
    return (
        Q(**{f"{page}blocked_for_good": True})
        | Q(**{f"{page}unblock_date__gt": now()})
        | hidden(f"{page}owner__")
    )


def findable_by(viewer: Viewer | System, page: str = "") -> Q:
    """The rule for a page's profile: what is not blocked, to everybody."""
    if isinstance(viewer, AnonymousUser):
        return ~is_blocked(page)
    if isinstance(viewer, System) or viewer.is_moderator:
        return Q()
    return ~is_blocked(page) | Q(**{f"{page}owner": viewer.pk})


def visible_to(viewer: Viewer | System, page: str = "") -> Q:
    """The rule for what is on a page: its posts, replies and followers."""
    if isinstance(viewer, AnonymousUser):
        return findable_by(viewer, page) & _is_public(page)
    if isinstance(viewer, System) or viewer.is_moderator:
        return Q()
    return _visible(viewer.pk, follows_of(viewer), page)


def visible_to_each(viewer: str, page: str = "") -> Q:
    """The same rule for many viewers in one query: `viewer` is the field of the queryset's rows
    that says who is looking."""
    follows = Follow.objects.filter(user=OuterRef(viewer), accepted_at__isnull=False)
    moderates = Q(**{f"{viewer}__role__in": User.MODERATORS})
    return moderates | _visible(F(viewer), follows, page)


def _visible(viewer: Any, follows: QuerySet[Follow], page: str) -> Q:
    own = Q(**{f"{page}owner": viewer})
    following = Exists(follows.filter(page=OuterRef(f"{page}pk")))
    return own | (~is_blocked(page) & (_is_public(page) | Q(following)))


def _is_public(page: str) -> Q:
    return Q(**{f"{page}is_private": False})


def is_visible(page: Page, viewer: Viewer | System) -> bool:
    """Whether the viewer may see what is on the page."""
    return Page.objects.filter(visible_to(viewer), pk=page.pk).exists()


def follows_of(user: User) -> QuerySet[Follow]:
    return Follow.objects.filter(user=user.pk, accepted_at__isnull=False)


def pages_for(viewer: Viewer) -> QuerySet[Page]:
    """The pages whose profile the viewer may see, with all that a profile shows."""
    return with_profile(Page.objects.filter(findable_by(viewer)), viewer)


def with_profile(pages: QuerySet[Page], viewer: Viewer) -> QuerySet[Page]:
    """`viewer_follow`, `none`, `requested` or `following`; `viewer_is_owner`; the owner; and
    `tag_names` in order."""
    follow: Value | Coalesce = Value("none")
    is_owner: Value | ExpressionWrapper[Any] = Value(False)
    if isinstance(viewer, User):
        is_owner = ExpressionWrapper(Q(owner=viewer.pk), output_field=BooleanField())
        state = Case(
            When(accepted_at__isnull=True, then=Value("requested")), default=Value("following")
        )
        mine = Follow.objects.filter(page=OuterRef("pk"), user=viewer.pk).values(state=state)
        follow = Coalesce(Subquery(mine), Value("none"), output_field=CharField())
    tags = Tag.objects.filter(pages=OuterRef("pk")).order_by("name")
    return pages.select_related("owner").annotate(  # type: ignore[no-redef] # a model says what it is
        viewer_follow=follow,
        viewer_is_owner=is_owner,
        tag_names=ArraySubquery(tags.values("name")),
    )


def page_at(uuid: str, viewer: Viewer) -> Page:
    """The profile of a page by its uuid, in any case of letters. Raises NotFound."""
    for page in _pages_at(uuid.lower(), viewer):
        return page
    raise NotFound


@compiled
def _pages_at(uuid: str, viewer: Viewer) -> QuerySet[Page]:
    is_open = ExpressionWrapper(visible_to(viewer), output_field=BooleanField())
    return pages_for(viewer).filter(uuid__lower=uuid).annotate(is_open=is_open)  # type: ignore[no-redef] # a model says what it is


def page_formerly_at(uuid: str, viewer: Viewer) -> Page:
    """The page that had this uuid until another one took its place, while it is reserved.
    Raises NotFound."""
    for page in _pages_formerly_at(uuid.lower(), viewer):
        return page
    raise NotFound


@compiled
def _pages_formerly_at(uuid: str, viewer: Viewer) -> QuerySet[Page]:
    former = FormerUuid.objects.filter(uuid=uuid, reserved_until__gt=now())
    return pages_for(viewer).filter(pk__in=former.values("page"))


def open_page_at(uuid: str, viewer: Viewer) -> Page:
    """A page whose posts and followers the viewer may see. Raises NotFound, PagePrivate."""
    page = page_at(uuid, viewer)
    if not page.is_open:
        raise PagePrivate
    return page


def writable_by(user: User) -> list[Page]:
    """The user's own pages, the newest first, with no more than names them: id, uuid and name."""
    return _named_pages_of(user.pk)


@compiled
def _named_pages_of(owner: UUID) -> QuerySet[Page]:
    return Page.objects.filter(owner=owner).only("uuid", "name").order_by("-id")[:MAX_LIMIT]


def pages_of(owner: User, viewer: Viewer, window: Window) -> Slice[Page]:
    """Those that the viewer may find, newest first."""
    asked = window.of(NEWEST_FIRST)
    return asked.slice(_pages_of(owner.pk, viewer, asked))


@compiled
def _pages_of(owner: UUID, viewer: Viewer, asked: Range) -> QuerySet[Page]:
    return asked.bound(pages_for(viewer).filter(owner=owner))[: asked.limit + 1]


def pages_with(viewer: Viewer, window: Window, *, tag: str = "", owner: str = "") -> Slice[Page]:
    """Those that have the tag and the owner, newest first; what is left out does not narrow."""
    asked = window.of(NEWEST_FIRST)
    name = normal_tag(tag) if tag else None
    return asked.slice(_pages_with(name, owner.lower() or None, viewer, asked))


@compiled
def _pages_with(tag: str | None, owner: str | None, viewer: Viewer, asked: Range) -> QuerySet[Page]:
    pages = pages_for(viewer)
    if tag is not None:
        # By the tag's id, so that the index of its pages gives them in the order of the list.
        pages = pages.filter(tags=Tag.objects.filter(name=tag).values("id")[:1])
    if owner is not None:
        named = User.objects.filter(username__lower=owner)
        pages = pages.filter(owner=named.values("id")[:1])
    return asked.bound(pages)[: asked.limit + 1]


def followed_pages(user: User, window: Window) -> Slice[Page]:
    """The pages that the user follows and may find, latest follow first."""
    asked = window.of(LATEST_FOLLOW_FIRST)
    return asked.slice(_followed_pages(user, asked))


@compiled
def _followed_pages(user: User, asked: Range) -> QuerySet[Page]:
    followed = Q(follows__user=user.pk, follows__accepted_at__isnull=False)
    pages = (
        pages_for(user)
        .annotate(followed=FilteredRelation("follows", condition=followed))
        .filter(followed__isnull=False)
        .annotate(follow_id=F("followed__id"))
    )
    return asked.bound(pages)[: asked.limit + 1]


def followers_of(page: Page, viewer: Viewer, window: Window) -> Slice[User]:
    """Latest follow first; none where the viewer may not see what is on the page."""
    asked = window.of(LATEST_FOLLOW_FIRST)
    return asked.slice(_followers_of(page.pk, viewer, asked))


@compiled
def _followers_of(page: UUID, viewer: Viewer, asked: Range) -> QuerySet[User]:
    following = Q(follows__page=page, follows__accepted_at__isnull=False)
    visible = Page.objects.filter(visible_to(viewer), pk=page)
    followers = (
        User.objects.annotate(following=FilteredRelation("follows", condition=following))
        .filter(shown_to(viewer), Exists(visible), following__isnull=False)
        .annotate(follow_id=F("following__id"))
    )
    return asked.bound(followers)[: asked.limit + 1]


def requests_of(page: Page, viewer: Viewer, window: Window) -> Slice[Follow]:
    """The requests to follow the page, oldest first, each with its `user`.

    Raises Forbidden for others than its owner.
    """
    if page.owner_id != viewer.pk:
        raise Forbidden
    asked = window.of(OLDEST_FIRST)
    return asked.slice(_requests_of(page.pk, asked))


@compiled
def _requests_of(page: UUID, asked: Range) -> QuerySet[Follow]:
    waiting = Follow.objects.filter(page=page, accepted_at__isnull=True)
    shown = waiting.exclude(hidden("user__")).select_related("user")
    return asked.bound(shown)[: asked.limit + 1]


def waiting_for(page: Page, usernames: Collection[str] | None = None) -> QuerySet[Follow]:
    """Who waits to follow the page: all, or those of them who are named. For services."""
    requests = Follow.objects.filter(page=page, accepted_at__isnull=True)
    if usernames is None:
        return requests
    names = [username.lower() for username in usernames]
    return requests.filter(user__in=User.objects.filter(username__lower__in=names))


def tags_for(viewer: Viewer, window: Window, prefix: str = "") -> Slice[Tag]:
    """The tags of the pages that the viewer may find, each with its `pages_count`, by name."""
    asked = window.of(BY_NAME)
    return asked.slice(_tags_for(viewer, normal_tag(prefix), asked))


@compiled
def _tags_for(viewer: Viewer, prefix: str, asked: Range) -> QuerySet[Tag]:
    tagged = Page.tags.through.objects.filter(tag=OuterRef("pk"))
    findable = findable_by(viewer, "page__")
    tags = Tag.objects.filter(
        begins_with("name", prefix), Exists(tagged.filter(findable))
    ).annotate(pages_count=CountOfFirst(tagged.order_by("page_id"), findable))
    return asked.bound(tags)[: asked.limit + 1]
