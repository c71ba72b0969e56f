"""Events as the core makes them, with everything filled in that a test does not care about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

from innotter_contracts.events import (
    Metric,
    PageAndUser,
    PageCreated,
    PageFollowed,
    PageRecounted,
    PostAndUser,
    PostCreated,
    PostLiked,
    PostRef,
    PostUnliked,
    UserBlocked,
    UserRef,
    UserUnblocked,
)
from innotter_contracts.ids import new_id

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 20)


def page_created(
    page_id: UUID,
    uuid: str,
    *,
    owner: UUID | None = None,
    name: str = "Morning coffee",
    at: datetime = NOON,
) -> PageCreated:
    owner = owner or new_id()
    return PageCreated(
        actor=owner,
        occurred_at=at,
        payload=PageCreated.Payload(page_id=page_id, uuid=uuid, name=name, owner_id=owner),
    )


def recounted(
    page_id: UUID,
    uuid: str,
    epoch: int,
    days: Mapping[date, Mapping[Metric, int]],
    *,
    owner: UUID | None = None,
    name: str = "Morning coffee",
    since: datetime = NOON,
) -> PageRecounted:
    payload = PageRecounted.Payload(
        page_id=page_id,
        epoch=epoch,
        uuid=uuid,
        name=name,
        owner_id=owner or new_id(),
        since=since,
        days=[PageRecounted.Day(date=day, counts=dict(counts)) for day, counts in days.items()],
    )
    return PageRecounted(actor=None, payload=payload)


def posted(page_id: UUID, *, to: UUID | None = None, at: datetime = NOON) -> PostCreated:
    """A post on a page; with `to`, a reply to some post on that page."""
    parent = PostRef(post_id=new_id(), page_id=to) if to else None
    return PostCreated(
        actor=new_id(),
        occurred_at=at,
        payload=PostCreated.Payload(post_id=new_id(), page_id=page_id, reply_to=parent),
    )


def liked(page_id: UUID, *, at: datetime = NOON, epoch: int = 0) -> PostLiked:
    epochs = {page_id: epoch} if epoch else {}
    return PostLiked(actor=new_id(), occurred_at=at, epochs=epochs, payload=_like(page_id))


def unliked(page_id: UUID, *, at: datetime = NOON) -> PostUnliked:
    return PostUnliked(actor=new_id(), occurred_at=at, payload=_like(page_id))


def followed(page_id: UUID, *, at: datetime = NOON) -> PageFollowed:
    user = new_id()
    return PageFollowed(
        actor=user, occurred_at=at, payload=PageAndUser(page_id=page_id, user_id=user)
    )


def blocked(user: UUID, *, at: datetime = NOON) -> UserBlocked:
    return UserBlocked(actor=new_id(), occurred_at=at, payload=UserRef(user_id=user))


def unblocked(user: UUID, *, at: datetime = NOON) -> UserUnblocked:
    return UserUnblocked(actor=new_id(), occurred_at=at, payload=UserRef(user_id=user))


def new_uuid() -> str:
    """An address that no other test's page has."""
    return f"Page_{new_id().hex[-20:]}"


def _like(page_id: UUID) -> PostAndUser:
    return PostAndUser(page_id=page_id, post_id=new_id(), user_id=new_id())
