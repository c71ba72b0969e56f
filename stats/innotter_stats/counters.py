"""What each event changes. Pure: the same event always gives the same answer, and nothing happens.

Two kinds of change. A *delta* is added to a counter, so it must be added exactly once. A *fact*
overwrites, so it may be written any number of times, as long as an older one never wins.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from innotter_contracts.events import (
    Envelope,
    Event,
    FollowRequestAccepted,
    FollowRequested,
    FollowRequestRejected,
    FollowRequestWithdrawn,
    PageChanged,
    PageCreated,
    PageDeleted,
    PageFollowed,
    PageUnfollowed,
    PostCreated,
    PostDeleted,
    PostLiked,
    PostRef,
    PostUnliked,
    UserBlocked,
    UserUnblocked,
)

type Metric = Literal[
    "posts", "replies", "replies_received", "likes", "followers", "follow_requests"
]
METRICS: tuple[Metric, ...] = get_args(Metric.__value__)


class Delta(NamedTuple):
    page_id: UUID
    metric: Metric
    amount: int


class Fact(NamedTuple):
    """Something about a page that has been so since a moment, until a newer fact says otherwise."""

    page_id: UUID
    name: Literal["owner_id", "name", "uuid", "deleted"]
    value: str
    since: datetime


class Block(NamedTuple):
    """That a user is shut out, or is not, since a moment: a fact too."""

    user_id: UUID
    blocked: bool
    since: datetime


# One counter of the event's page, one up or one down.
_STEPS: Mapping[type[Envelope], tuple[Metric, int]] = {
    PostLiked: ("likes", 1),
    PostUnliked: ("likes", -1),
    PageFollowed: ("followers", 1),
    PageUnfollowed: ("followers", -1),
    FollowRequested: ("follow_requests", 1),
    FollowRequestWithdrawn: ("follow_requests", -1),
    FollowRequestRejected: ("follow_requests", -1),
}


def day_of(event: Event) -> date:
    """The UTC day that the event's deltas belong to."""
    return event.occurred_at.astimezone(UTC).date()


def deltas(event: Event) -> list[Delta]:
    """What to add to the counters of which pages, in their totals and on the event's day."""
    match event:
        case PageCreated() | PageChanged() | PageDeleted() | UserBlocked() | UserUnblocked():
            return []
        case FollowRequestAccepted(payload=follow):
            return [
                Delta(follow.page_id, "follow_requests", -1),
                Delta(follow.page_id, "followers", 1),
            ]
        case PostCreated(payload=post):
            return _written(post.page_id, post.reply_to, 1)
        case PostDeleted(payload=post):
            likes = [Delta(post.page_id, "likes", -post.likes_count)] if post.likes_count else []
            return [*_written(post.page_id, post.reply_to, -1), *likes]
        case _:
            metric, amount = _STEPS[type(event)]
            return [Delta(event.payload.page_id, metric, amount)]


def facts(event: Event) -> Sequence[Fact | Block]:
    """What the event tells about its page; the uuid last, because it makes the page findable.

    Or about a user.
    """
    match event:
        case PageCreated(payload=page, occurred_at=since):
            return [
                Fact(page.page_id, "owner_id", str(page.owner_id), since),
                Fact(page.page_id, "name", page.name, since),
                Fact(page.page_id, "uuid", page.uuid, since),
            ]
        case PageChanged(payload=page, occurred_at=since):
            return [
                Fact(page.page_id, "name", page.name, since),
                Fact(page.page_id, "uuid", page.uuid, since),
            ]
        case PageDeleted(payload=page, occurred_at=since):
            return [Fact(page.page_id, "deleted", "yes", since)]
        case UserBlocked(payload=user, occurred_at=since):
            return [Block(user.user_id, True, since)]
        case UserUnblocked(payload=user, occurred_at=since):
            return [Block(user.user_id, False, since)]
        case _:
            return []


def _written(page_id: UUID, reply_to: PostRef | None, amount: int) -> list[Delta]:
    """A post, or a reply, that has come or gone."""
    if reply_to is None:
        return [Delta(page_id, "posts", amount)]
    return [
        Delta(page_id, "replies", amount),
        Delta(reply_to.page_id, "replies_received", amount),
    ]
