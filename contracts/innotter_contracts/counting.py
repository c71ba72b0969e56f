"""What each event adds to the numbers of which pages. Pure.

Statistics counts by it; the core, which does not count, compares by it.
"""

from collections.abc import Mapping
from datetime import UTC, date
from typing import NamedTuple
from uuid import UUID

from innotter_contracts.events import (
    Envelope,
    Event,
    FollowRequestAccepted,
    FollowRequested,
    FollowRequestRejected,
    FollowRequestWithdrawn,
    Metric,
    NotificationsChanged,
    PageChanged,
    PageCreated,
    PageDeleted,
    PageFollowed,
    PageRecounted,
    PageUnfollowed,
    PostCreated,
    PostDeleted,
    PostLiked,
    PostRef,
    PostUnliked,
    UserBlocked,
    UserUnblocked,
)


class Delta(NamedTuple):
    page_id: UUID
    metric: Metric
    amount: int


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
        case PageCreated() | PageChanged() | PageDeleted() | PageRecounted():
            return []
        case UserBlocked() | UserUnblocked() | NotificationsChanged():
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


def _written(page_id: UUID, reply_to: PostRef | None, amount: int) -> list[Delta]:
    """A post, or a reply, that has come or gone."""
    if reply_to is None:
        return [Delta(page_id, "posts", amount)]
    return [
        Delta(page_id, "replies", amount),
        Delta(reply_to.page_id, "replies_received", amount),
    ]
