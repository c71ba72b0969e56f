"""What is counted, in DynamoDB; nothing outside of this package knows that it is there.

`table` has the keys and the calls, `counting` adds, `states` overwrites, `epochs` replaces what is
recounted, `reading` reads.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from innotter_contracts.events import Event, PageDeleted, PageRecounted
from innotter_stats.facts import Existence, Fact, UserFact, facts
from innotter_stats.store import reading
from innotter_stats.store.counting import count
from innotter_stats.store.epochs import begin, calls_to_begin
from innotter_stats.store.reading import PageStatistics, StoredPage, StoredUser
from innotter_stats.store.states import forget_counters, remember
from innotter_stats.store.table import (
    MARKER_LIFE,
    StoreUnavailable,
    Table,
    create_client,
    create_table,
    failure_is_unavailability,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "MARKER_LIFE",
    "PageStatistics",
    "Store",
    "StoreUnavailable",
    "StoredPage",
    "StoredUser",
    "calls_for",
    "create_client",
    "create_table",
]

# An event of a page's uuid writes it, claims it, and gives up the one before. The end of a page
# marks it, gives up its uuid, and forgets its facts and its counters.
CALLS_FOR_UUID = 3
CALLS_TO_END = 7


def calls_for(event: Event) -> int:
    """About how many calls to DynamoDB the event needs when it shares none with others."""
    stated = sum(map(_calls_to_remember, facts(event)))
    recounting = calls_to_begin(event.payload) if isinstance(event, PageRecounted) else 0
    return max(1, stated + recounting)


def _calls_to_remember(fact: Fact | UserFact | Existence) -> int:
    match fact:
        case Existence(is_there=False):
            return CALLS_TO_END
        case Fact(name="uuid"):
            return CALLS_FOR_UUID
        case _:
            return 1


class Store:
    """May be shared by threads. Every method may raise StoreUnavailable."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = Table(client, table)

    @failure_is_unavailability()
    def check(self) -> None:
        """Raises StoreUnavailable unless the table answers."""
        self._table.item(("health", "health"), consistent=False)

    @failure_is_unavailability()
    def apply(
        self, events: Iterable[Event], after_call: Callable[[], None] = lambda: None
    ) -> set[UUID]:
        """Takes in the events, each exactly once however often it comes here.

        Calls `after_call` after each call to DynamoDB. Returns the ids of those that had been
        counted before. After StoreUnavailable some may be counted and some not, and calling again
        with the same events completes it.
        """
        table = Table(self._client, self._table.name, after_call)
        distinct = {event.id: event for event in events}.values()
        # Facts first and outside of the transactions. A newer fact being there already must not
        # cancel the counting, and a crash before the counting brings the event, and so its
        # facts, here again.
        for event in distinct:
            for fact in facts(event):
                remember(table, fact)
            if isinstance(event, PageRecounted):
                begin(table, event.payload)
        repeated = count(table, distinct)
        for event in distinct:
            if isinstance(event, PageDeleted):
                forget_counters(table, event.payload.page_id)
        return repeated

    @failure_is_unavailability()
    def statistics(self, uuid: str, first: date, last: date) -> PageStatistics | None:
        """A page's totals and the days from `first` to `last`; None if there is no such page."""
        return reading.statistics(self._table, uuid, first, last)

    @failure_is_unavailability()
    def stored_page(self, page_id: UUID) -> StoredPage:
        """All that is stored of a page, for the audit."""
        return reading.stored_page(self._table, page_id)

    @failure_is_unavailability()
    def stored_user(self, user_id: UUID) -> StoredUser:
        """All that is stored of a user, for the audit."""
        return reading.stored_user(self._table, user_id)

    def all_stored(self) -> Iterator[tuple[str, UUID]]:
        """`page` or `user` and the id of every one that something is stored of, and is not marked
        as deleted. Reads the whole table, for the audit."""
        with failure_is_unavailability():
            yield from reading.all_stored(self._table)

    @failure_is_unavailability()
    def is_counted(self, event_id: UUID) -> bool:
        return reading.is_counted(self._table, event_id)

    @failure_is_unavailability()
    def is_blocked(self, user_id: UUID) -> bool:
        """Whether the user is blocked, leaving or gone, according to the events so far."""
        return reading.is_blocked(self._table, user_id)
