"""The facts of an event that are not counted. Pure.

A fact overwrites, so it may be written any number of times, as long as an older one never wins:
each has the revision of the row in the core that it is about, and the higher revision wins.
What is counted, and so must be added exactly once, is in innotter_contracts.counting.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never
from uuid import UUID

from innotter_contracts.events import (
    Event,
    Occurrence,
    PageChanged,
    PageCreated,
    PageDeleted,
    PageRecounted,
    UserBlocked,
    UserDeleted,
    UserDeletionScheduled,
    UserRestored,
    UserUnblocked,
    milliseconds,
)

type UserState = UserBlocked | UserUnblocked | UserDeletionScheduled | UserRestored


class Fact(NamedTuple):
    """Something about a page that is so until a fact of a higher revision says otherwise."""

    page_id: UUID
    name: Literal["owner_id", "name", "uuid", "deleted"]
    value: str
    revision: int


class UserFact(NamedTuple):
    """Something about a user that shuts them out, or does not: a fact too."""

    user_id: UUID
    name: Literal["blocked", "leaving", "deleted"]
    value: bool
    revision: int


def facts(event: Event) -> Sequence[Fact | UserFact]:
    """The facts that an event states about its page; the uuid last: it makes the page findable.

    Or about a user.
    """
    match event:
        case PageCreated() | PageRecounted():
            page, revision = event.payload, event.revision
            return [
                Fact(page.page_id, "owner_id", str(page.owner_id), revision),
                Fact(page.page_id, "name", page.name, revision),
                Fact(page.page_id, "uuid", page.uuid, revision),
            ]
        case PageChanged(payload=changed):
            return [
                Fact(changed.page_id, "name", changed.name, event.revision),
                Fact(changed.page_id, "uuid", changed.uuid, event.revision),
            ]
        case PageDeleted(payload=gone):
            # Final: no later event is about the page.
            return [Fact(gone.page_id, "deleted", "yes", milliseconds(event.occurred_at))]
        case UserDeleted(payload=user):
            return [UserFact(user.user_id, "deleted", True, milliseconds(event.occurred_at))]
        case Occurrence():
            return []
        case _:
            return [_of_user(event)]


def _of_user(event: UserState) -> UserFact:
    user, revision = event.payload.user_id, event.revision
    match event:
        case UserBlocked() | UserUnblocked():
            return UserFact(user, "blocked", isinstance(event, UserBlocked), revision)
        case UserDeletionScheduled() | UserRestored():
            return UserFact(user, "leaving", isinstance(event, UserDeletionScheduled), revision)
        case _:
            assert_never(event)
