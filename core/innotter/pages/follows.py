"""Services by which people follow pages, ask to, and are let in."""

from collections.abc import Collection
from contextlib import suppress

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from innotter.accounts.actions import action
from innotter.accounts.models import User
from innotter.common.database import insertion
from innotter.common.errors import NotFound
from innotter.events.services import record
from innotter.pages import statements
from innotter.pages.locks import locked
from innotter.pages.models import Follow, Page
from innotter.pages.policies import require_findable, require_not_owner, require_owner
from innotter.pages.selectors import waiting_for
from innotter_contracts.events import (
    FollowRequestAccepted,
    FollowRequested,
    FollowRequestRejected,
    FollowRequestWithdrawn,
    PageAndUser,
    PageFollowed,
    PageUnfollowed,
)


@action
@transaction.atomic
def follow(*, actor: User, page: Page | str) -> Page:
    """Follows a public page, or asks to follow a private one. Repeating it changes nothing.
    The page with its `viewer_follow`. Raises NotFound, OwnPage.
    """
    page = locked(page)
    require_findable(actor, page)
    require_not_owner(actor, page)
    now = timezone.now()
    new = Follow(page=page, user=actor, accepted_at=None if page.is_private else now)
    tells = FollowRequested if page.is_private else PageFollowed
    event = tells(actor=actor.id, occurred_at=now, payload=_both(page, actor))
    is_new = statements.follow(insertion(new), event)
    follow = new if is_new else Follow.objects.get(page=page, user=actor)
    page.viewer_follow = "following" if follow.accepted_at else "requested"
    return page


@action
@transaction.atomic
def unfollow(*, actor: User, page: Page | str) -> None:
    """Stops following, or withdraws the request. Nothing when there is neither, whether or not
    the actor may find the page, or there is one (decision 44). Raises OwnPage.
    """
    with suppress(NotFound):
        page = locked(page)
        require_not_owner(actor, page)
        _end_follow(page, actor, actor=actor)


@action
@transaction.atomic
def remove_follower(*, actor: User, page: Page | str, username: str) -> None:
    """Nothing when nobody of that name follows the page. Who is removed may follow it again.

    Raises NotFound, Forbidden.
    """
    page = locked(page)
    require_owner(actor, page)
    user = User.objects.filter(username__lower=username.lower()).first()
    if user is not None:
        _end_follow(page, user, actor=actor, request_too=False)


@action
@transaction.atomic
def accept_requests(
    *, actor: User, page: Page | str, usernames: Collection[str] | None = None
) -> int:
    """Of these users or, without names, of all who wait; how many there were.

    Raises NotFound, Forbidden.
    """
    page = locked(page)
    require_owner(actor, page)
    return accept(page, waiting_for(page, usernames))


@action
@transaction.atomic
def reject_requests(
    *, actor: User, page: Page | str, usernames: Collection[str] | None = None
) -> int:
    """Of these users or, without names, of all who wait; how many there were.

    Raises NotFound, Forbidden.
    """
    page = locked(page)
    require_owner(actor, page)
    requests = waiting_for(page, usernames)
    answered = _answered(FollowRequestRejected, page, requests)
    requests.delete()
    return answered


def accept(page: Page, requests: QuerySet[Follow]) -> int:
    """The page's, which is locked; how many there are."""
    answered = _answered(FollowRequestAccepted, page, requests)
    now = timezone.now()
    requests.update(accepted_at=now, updated_at=now)
    _count_followers(page, answered)
    return answered


def _answered(
    event: type[FollowRequestAccepted] | type[FollowRequestRejected],
    page: Page,
    requests: QuerySet[Follow],
) -> int:
    """Tells each of the requests its answer, as the owner; how many there are."""
    payloads = [
        PageAndUser(page_id=page.id, user_id=user_id)
        for user_id in requests.order_by("id").values_list("user_id", flat=True)
    ]
    record(*(event(actor=page.owner_id, payload=payload) for payload in payloads))
    return len(payloads)


def _end_follow(page: Page, user: User, *, actor: User, request_too: bool = True) -> None:
    """Of what the user has of the page, which is locked."""
    was_following = statements.end_follow(page, user, request_too=request_too)
    if was_following is not None:
        tells = PageUnfollowed if was_following else FollowRequestWithdrawn
        record(tells(actor=actor.id, payload=_both(page, user)))


def _count_followers(page: Page, change: int) -> None:
    """Under the page's lock, so that the number in hand is the truth."""
    page.followers_count += change
    page.save(update_fields=["followers_count"])


def _both(page: Page, user: User) -> PageAndUser:
    return PageAndUser(page_id=page.id, user_id=user.id)
