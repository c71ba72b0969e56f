"""Reading pages, and the one place where it is written who may see what."""

from collections.abc import Collection
from dataclasses import replace
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
from innotter.accounts.selectors import Viewer, hidden, shown_to, with_profile_of
from innotter.common.compiled import compiled, now
from innotter.common.database import CountOfFirst, ExistsByIndex, IsOneOf, begins_with
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


def is_blocked(page: str = "", hidden_owner: Q | None = None) -> Q:
    """A page is blocked while its own block runs or its owner is blocked or leaving.

    `page` is the way from the queryset's model to the page, such as `reply_to__page__`;
    `hidden_owner` says the latter in another way than by a join.
    """
    return (
        Q(**{f"{page}blocked_for_good": True})
        | Q(**{f"{page}unblock_date__gt": now()})
        | (hidden(f"{page}owner__") if hidden_owner is None else hidden_owner)
    )


def findable_by(viewer: Viewer | System, page: str = "", hidden_owner: Q | None = None) -> Q:
    """The rule for a page's profile: what is not blocked, to everybody."""
    if isinstance(viewer, AnonymousUser):
        return ~is_blocked(page, hidden_owner)
    if isinstance(viewer, System) or viewer.is_moderator:
        return Q()
    return ~is_blocked(page, hidden_owner) | Q(**{f"{page}owner": viewer.pk})


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
    following = ExistsByIndex(follows.filter(page=OuterRef(f"{page}pk")))
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
    return with_profile_of(pages, "owner").annotate(  # type: ignore[no-redef] # a model says what it is
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
    findable = Page.objects.filter(findable_by(user), pk=OuterRef("page"))
    by_follow = replace(asked, key=NEWEST_FIRST)
    ids = _first_of(by_follow, "user", User.objects.filter(pk=user.pk), findable)
    followed = with_profile(Page.objects.filter(IsOneOf("follows", ids)), user)
    return asked.ordered(followed.annotate(follow_id=F("follows__id")))


def followers_of(uuid: str, viewer: Viewer, window: Window) -> Slice[User]:
    """Of the page at this uuid, latest follow first. Raises NotFound, PagePrivate."""
    asked = window.of(NEWEST_FIRST)
    found = _followers_of(uuid.lower(), viewer, asked)
    if not found:
        open_page_at(uuid, viewer)
    follows = asked.slice(found)
    return Slice([follow.user for follow in follows], follows.next, follows.previous)


@compiled
def _followers_of(uuid: str, viewer: Viewer, asked: Range) -> QuerySet[Follow]:
    page = Page.objects.filter(visible_to(viewer), uuid__lower=uuid)
    people = User.objects.filter(shown_to(viewer), pk=OuterRef("user"))
    return _with_users(asked, _first_of(asked, "page", page, people))


def requests_of(uuid: str, viewer: User, window: Window) -> Slice[Follow]:
    """The requests to follow the page at this uuid, oldest first, each with its `user`.

    Raises NotFound, and Forbidden for others than its owner.
    """
    asked = window.of(OLDEST_FIRST)
    found = _requests_of(uuid.lower(), viewer.pk, asked)
    if not found and page_at(uuid, viewer).owner_id != viewer.pk:
        raise Forbidden
    return asked.slice(found)


@compiled
def _requests_of(uuid: str, owner: UUID, asked: Range) -> QuerySet[Follow]:
    page = Page.objects.filter(owner=owner, uuid__lower=uuid)
    people = User.objects.filter(~hidden(), pk=OuterRef("user"))
    return _with_users(asked, _first_of(asked, "page", page, people, waiting=True))


def _with_users(asked: Range, ids: ArraySubquery) -> QuerySet[Follow]:
    return asked.ordered(with_profile_of(Follow.objects.filter(IsOneOf("id", ids)), "user"))


def _first_of(
    asked: Range, side: str, one: QuerySet[Any], other: QuerySet[Any], *, waiting: bool = False
) -> ArraySubquery:
    """The ids of the follows that are asked for and one more: of `one` page or user, as `side`
    says, where there is the `other`, which refers to the follow.

    In the order of an index, and each other looked up by itself: the planner knows nothing of the
    one, and would read all of its follows, and all users or pages.
    """
    ids = ArraySubquery(one.values("pk")[:1])
    exists = Subquery(other.values(exists=Value(True)))
    follows = Follow.objects.filter(IsOneOf(side, ids), exists, accepted_at__isnull=waiting)
    follows = asked.bound(follows)
    by_side = f"-{side}_id" if asked.backwards else f"{side}_id"
    in_order = follows.order_by(by_side, *follows.query.order_by)
    return ArraySubquery(in_order.values("id")[: asked.limit + 1])


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
