"""What an event tells that is not counted. Pure.

A fact overwrites, so it may be written any number of times, as long as an older one never wins.
What is counted, and so must be added exactly once, is told by innotter_contracts.counting.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from innotter_contracts.events import (
    Event,
    PageChanged,
    PageCreated,
    PageDeleted,
    PageRecounted,
    UserBlocked,
    UserUnblocked,
)


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
        case PageRecounted(payload=page):
            return [
                Fact(page.page_id, "owner_id", str(page.owner_id), page.since),
                Fact(page.page_id, "name", page.name, page.since),
                Fact(page.page_id, "uuid", page.uuid, page.since),
            ]
        case PageChanged(payload=page, occurred_at=since):
            return [
                Fact(page.page_id, "name", page.name, since),
                Fact(page.page_id, "uuid", page.uuid, since),
            ]
        case PageDeleted(payload=page, occurred_at=since):
            return [Fact(page.page_id, "deleted", "yes", since)]
        case (
            UserBlocked(payload=user, occurred_at=since)
            | UserUnblocked(payload=user, occurred_at=since)
        ):
            return [Block(user.user_id, isinstance(event, UserBlocked), since)]
        case _:
            return []
