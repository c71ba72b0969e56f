"""What each event adds to the numbers of which pages. Pure.

Statistics counts by it; the core, which does not count, compares by it.
"""

from datetime import UTC, date
from typing import NamedTuple, assert_never
from uuid import UUID

from innotter_contracts.events import (
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
    UserDeleted,
    UserDeletionScheduled,
    UserRestated,
    UserRestored,
    UserUnblocked,
)

type FollowEvent = (
    PageFollowed
    | PageUnfollowed
    | FollowRequested
    | FollowRequestWithdrawn
    | FollowRequestRejected
    | FollowRequestAccepted
)


class Delta(NamedTuple):
    page_id: UUID
    metric: Metric
    amount: int


def day_of(event: Event) -> date:
    """The UTC day that the event's deltas belong to."""
    return event.occurred_at.astimezone(UTC).date()


def deltas(event: Event) -> list[Delta]:
    """What to add to the counters of which pages, in their totals and on the event's day."""
    match event:
        case (
            PageCreated()
            | PageChanged()
            | PageDeleted()
            | PageRecounted()
            | UserBlocked()
            | UserUnblocked()
            | UserDeletionScheduled()
            | UserRestored()
            | UserDeleted()
            | UserRestated()
            | NotificationsChanged()
        ):
            return []
        case PostCreated(payload=post):
            return _written(post.page_id, post.reply_to, 1)
        case PostDeleted(payload=post):
            likes = [Delta(post.page_id, "likes", -post.likes_count)] if post.likes_count else []
            return [*_written(post.page_id, post.reply_to, -1), *likes]
        case PostLiked(payload=post):
            return [Delta(post.page_id, "likes", 1)]
        case PostUnliked(payload=post):
            return [Delta(post.page_id, "likes", -1)]
        case (
            PageFollowed()
            | PageUnfollowed()
            | FollowRequested()
            | FollowRequestWithdrawn()
            | FollowRequestRejected()
            | FollowRequestAccepted()
        ):
            return _followed(event)
        case _:
            # The type checker refuses an event that no branch names.
            assert_never(event)


def _followed(event: FollowEvent) -> list[Delta]:
    page_id = event.payload.page_id
    match event:
        case PageFollowed():
            return [Delta(page_id, "followers", 1)]
        case PageUnfollowed():
            return [Delta(page_id, "followers", -1)]
        case FollowRequested():
            return [Delta(page_id, "follow_requests", 1)]
        case FollowRequestWithdrawn() | FollowRequestRejected():
            return [Delta(page_id, "follow_requests", -1)]
        case FollowRequestAccepted():
            return [Delta(page_id, "follow_requests", -1), Delta(page_id, "followers", 1)]
        case _:
            assert_never(event)


def _written(page_id: UUID, reply_to: PostRef | None, amount: int) -> list[Delta]:
    """A post, or a reply, that has come or gone."""
    if reply_to is None:
        return [Delta(page_id, "posts", amount)]
    return [
        Delta(page_id, "replies", amount),
        Delta(reply_to.page_id, "replies_received", amount),
    ]
