"""Events as the core makes them, with everything filled in that a test does not care about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from innotter_contracts.events import (
    Metric,
    PageAndUser,
    PageChanged,
    PageCreated,
    PageDeleted,
    PageFollowed,
    PageRecounted,
    PostAndUser,
    PostCreated,
    PostLiked,
    PostRef,
    PostUnliked,
    UserBlocked,
    UserDeleted,
    UserDeletionScheduled,
    UserRestated,
    UserRestored,
    UserState,
    UserUnblocked,
    milliseconds,
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
    revision: int | None = None,
) -> PageCreated:
    """Without `revision`, the one that a right clock gives."""
    owner = owner or new_id()
    payload = PageCreated.Payload(
        page_id=page_id,
        uuid=uuid,
        name=name,
        owner_id=owner,
        revision=milliseconds(at) if revision is None else revision,
    )
    return PageCreated(actor=owner, occurred_at=at, payload=payload)


def page_changed(
    page_id: UUID,
    uuid: str,
    *,
    name: str = "Evening coffee",
    at: datetime = NOON + timedelta(hours=1),
    revision: int | None = None,
) -> PageChanged:
    payload = PageChanged.Payload(
        page_id=page_id,
        uuid=uuid,
        name=name,
        revision=milliseconds(at) if revision is None else revision,
    )
    return PageChanged(actor=new_id(), occurred_at=at, payload=payload)


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
        revision=milliseconds(since),
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


def blocked(user: UUID, *, at: datetime = NOON, revision: int | None = None) -> UserBlocked:
    return UserBlocked(actor=new_id(), occurred_at=at, payload=_state(user, at, revision))


def unblocked(user: UUID, *, at: datetime = NOON, revision: int | None = None) -> UserUnblocked:
    return UserUnblocked(actor=new_id(), occurred_at=at, payload=_state(user, at, revision))


def leaving(user: UUID, *, at: datetime = NOON) -> UserDeletionScheduled:
    return UserDeletionScheduled(actor=user, occurred_at=at, payload=_state(user, at, None))


def restored(user: UUID, *, at: datetime = NOON) -> UserRestored:
    return UserRestored(actor=user, occurred_at=at, payload=_state(user, at, None))


def user_deleted(user: UUID, *, at: datetime = NOON) -> UserDeleted:
    return UserDeleted(actor=user, occurred_at=at, payload=_state(user, at, None))


def restated(
    user: UUID, *, at: datetime, is_blocked: bool = False, is_leaving: bool = False
) -> UserRestated:
    payload = UserRestated.Payload(
        user_id=user, revision=milliseconds(at), is_blocked=is_blocked, is_leaving=is_leaving
    )
    return UserRestated(actor=None, occurred_at=at, payload=payload)


def page_deleted(page_id: UUID, *, at: datetime = NOON) -> PageDeleted:
    payload = PageDeleted.Payload(page_id=page_id, revision=milliseconds(at))
    return PageDeleted(actor=new_id(), occurred_at=at, payload=payload)


def _state(user: UUID, at: datetime, revision: int | None) -> UserState:
    return UserState(user_id=user, revision=milliseconds(at) if revision is None else revision)


def new_uuid() -> str:
    """A uuid that no other test's page has."""
    return f"Page_{new_id().hex[-20:]}"


def _like(page_id: UUID) -> PostAndUser:
    return PostAndUser(page_id=page_id, post_id=new_id(), user_id=new_id())
