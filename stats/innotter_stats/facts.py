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
    UserUnblocked,
    milliseconds,
)


class Fact(NamedTuple):
    """Something about a page that is so until a fact of a higher revision says otherwise."""

    page_id: UUID
    name: Literal["owner_id", "name", "uuid", "deleted"]
    value: str
    revision: int


class Block(NamedTuple):
    """That a user is shut out, or is not: a fact too."""

    user_id: UUID
    blocked: bool
    revision: int


def facts(event: Event) -> Sequence[Fact | Block]:
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
        case UserBlocked() | UserUnblocked():
            blocked = isinstance(event, UserBlocked)
            return [Block(event.payload.user_id, blocked, event.revision)]
        case Occurrence():
            return []
        case _:
            assert_never(event)
