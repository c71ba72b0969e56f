"""Adds what events count, each exactly once."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from uuid import UUID

from innotter_contracts.counting import day_of, deltas
from innotter_contracts.events import Event, Metric
from innotter_stats.store.table import (
    MARKER_LIFE,
    MAX_ACTIONS,
    CountersKey,
    Row,
    StoreUnavailable,
    Table,
    TransactionCancelled,
    attempts,
    day_key,
    page_pk,
)

# Another transaction holds an item, or the table is too busy: the same transaction passes later.
_TRANSIENT = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def count(table: Table, events: Iterable[Event]) -> set[UUID]:
    """The ids of those that had been counted before. Raises StoreUnavailable."""
    counted = [event for event in events if deltas(event)]
    return {
        repeated for group in _transactions(counted) for repeated in _count_together(table, group)
    }


def _transactions(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Groups that fit one transaction each: an action a marker, an action a row of counters."""
    group: list[Event] = []
    rows: set[Row] = set()
    # Those of one page side by side, so that they share its rows.
    for event in sorted(events, key=lambda event: next(_changes(event))):
        touched = {row for row, _, _ in _changes(event)}
        if len(group) + 1 + len(rows | touched) > MAX_ACTIONS:
            yield group
            group, rows = [], set()
        group.append(event)
        rows |= touched
    if group:
        yield group


def _changes(event: Event) -> Iterator[tuple[Row, Metric, int]]:
    for page_id, metric, amount in deltas(event):
        epoch = event.epochs.get(page_id, 0)
        for what in ("totals", day_key(day_of(event))):
            sort_key = CountersKey(what, epoch, is_base=False)
            yield (page_pk(page_id), str(sort_key)), metric, amount


def _count_together(table: Table, events: list[Event]) -> set[UUID]:
    """Counts events that fit one transaction; the ids of those that were counted already."""
    repeated: set[UUID] = set()
    for delay in attempts():
        try:
            _transact(table, events)
            return repeated
        except TransactionCancelled as error:
            # Markers come first in a transaction, one an event. The counters' updates have no
            # condition that could fail.
            seen = {
                event.id
                for event, code in zip(events, error.codes, strict=False)
                if code == "ConditionalCheckFailed"
            }
            if not seen and not set(error.codes) <= _TRANSIENT:
                raise StoreUnavailable(str(error)) from error
        repeated |= seen
        events = [event for event in events if event.id not in seen]
        if not events:
            return repeated
        if not seen:
            time.sleep(delay)
    raise StoreUnavailable("the same items are being changed by too many others")


def _transact(table: Table, events: list[Event]) -> None:
    expires_at = int((datetime.now(UTC) + MARKER_LIFE).timestamp())
    sums: defaultdict[Row, Counter[Metric]] = defaultdict(Counter)
    for event in events:
        for row, metric, amount in _changes(event):
            sums[row][metric] += amount
    table.transact(
        [
            *(table.marker(event.id, expires_at=expires_at) for event in events),
            *(table.addition(row, amounts) for row, amounts in sums.items()),
        ]
    )
