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
    UserRestated,
    UserRestored,
    UserUnblocked,
)

type UserState = (
    UserBlocked | UserUnblocked | UserDeletionScheduled | UserRestored | UserDeleted | UserRestated
)


class Fact(NamedTuple):
    """Something about a page that is so until a fact of a higher revision says otherwise."""

    page_id: UUID
    name: Literal["owner_id", "name", "uuid"]
    value: str
    revision: int


class UserFact(NamedTuple):
    """Something about a user that shuts them out, or does not: a fact too."""

    user_id: UUID
    name: Literal["blocked", "leaving"]
    value: bool
    revision: int


class Existence(NamedTuple):
    """Whether a page or a user is there at all. It is told when they go, and when everything is
    told anew: it may be that a backup has brought them back."""

    kind: Literal["page", "user"]
    id: UUID
    is_there: bool
    revision: int


def facts(event: Event) -> Sequence[Fact | UserFact | Existence]:
    """The facts that an event states about its page; the uuid last: it makes the page findable.

    Or about a user. That they are there comes first, because nothing is kept of who is not.
    """
    match event:
        case PageCreated():
            return _of_page(event)
        case PageRecounted(payload=page):
            return [Existence("page", page.page_id, True, event.revision), *_of_page(event)]
        case PageChanged(payload=changed):
            return [
                Fact(changed.page_id, "name", changed.name, event.revision),
                Fact(changed.page_id, "uuid", changed.uuid, event.revision),
            ]
        case PageDeleted(payload=gone):
            return [Existence("page", gone.page_id, False, event.revision)]
        case Occurrence():
            return []
        case _:
            return _of_user(event)


def _of_page(event: PageCreated | PageRecounted) -> Sequence[Fact]:
    page, revision = event.payload, event.revision
    return [
        Fact(page.page_id, "owner_id", str(page.owner_id), revision),
        Fact(page.page_id, "name", page.name, revision),
        Fact(page.page_id, "uuid", page.uuid, revision),
    ]


def _of_user(event: UserState) -> Sequence[UserFact | Existence]:
    user, revision = event.payload.user_id, event.revision
    match event:
        case UserBlocked() | UserUnblocked():
            return [UserFact(user, "blocked", isinstance(event, UserBlocked), revision)]
        case UserDeletionScheduled() | UserRestored():
            return [UserFact(user, "leaving", isinstance(event, UserDeletionScheduled), revision)]
        case UserDeleted():
            return [Existence("user", user, False, revision)]
        case UserRestated(payload=now):
            return [
                Existence("user", user, True, revision),
                UserFact(user, "blocked", now.is_blocked, revision),
                UserFact(user, "leaving", now.is_leaving, revision),
            ]
        case _:
            assert_never(event)
