"""Reads what is counted."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from innotter_contracts.events import METRICS, Metric
from innotter_stats.store.table import (
    CountersKey,
    Counts,
    Item,
    Table,
    date_of,
    day_key,
    epoch_of,
    event_row,
    page_pk,
    profile_row,
    user_row,
    uuid_pk,
)


class PageStatistics(NamedTuple):
    uuid: str
    name: str
    owner_id: UUID
    totals: Counts
    # Only the days on which something changed.
    days: Mapping[date, Counts]


class StoredPage(NamedTuple):
    """All that is stored of a page; None for a page that no event has named yet."""

    uuid: str | None
    name: str | None
    owner_id: UUID | None
    totals: Counts
    days: Mapping[date, Counts]


class StoredUser(NamedTuple):
    is_blocked: bool
    is_leaving: bool
    is_deleted: bool


def statistics(table: Table, uuid: str, first: date, last: date) -> PageStatistics | None:
    """A page's totals and the days from `first` to `last`; None if there is no such page."""
    found = _profile_at(table, uuid)
    if found is None:
        return None
    page_id, profile = found
    totals, days = _counters(table, page_id, profile, first=day_key(first))
    return PageStatistics(
        uuid=profile["uuid"]["S"],
        name=profile["name"]["S"],
        owner_id=UUID(profile["owner_id"]["S"]),
        totals=totals,
        days={day: counts for day, counts in days.items() if day <= last},
    )


def stored_page(table: Table, page_id: UUID) -> StoredPage:
    profile = table.item(profile_row(page_id))
    totals, days = _counters(table, str(page_id), profile)
    uuid, name, owner_id = (
        profile[what]["S"] if what in profile else None for what in ("uuid", "name", "owner_id")
    )
    return StoredPage(uuid, name, UUID(owner_id) if owner_id else None, totals, days)


def is_counted(table: Table, event_id: UUID) -> bool:
    return bool(table.item(event_row(event_id)))


def stored_user(table: Table, user_id: UUID) -> StoredUser:
    item = table.item(user_row(user_id))
    return StoredUser(
        *(name in item and item[name]["S"] == "yes" for name in ("blocked", "leaving", "deleted"))
    )


def is_blocked(table: Table, user_id: UUID) -> bool:
    return any(stored_user(table, user_id))


def all_stored(table: Table) -> Iterator[tuple[str, UUID]]:
    """What every page and user is that is not marked as deleted, and its id."""
    for item in table.rows_sorted_as(("profile", "user")):
        if "deleted" not in item:
            kind, _, name = item["pk"]["S"].partition("#")
            yield kind, UUID(name)


def _profile_at(table: Table, uuid: str) -> tuple[str, Item] | None:
    """The page that has this uuid, by its own profile; of several, the latest."""
    claims = table.items(uuid_pk(uuid), consistent=False).values()
    profiles = {claim["page_id"]["S"]: _profile(table, claim["page_id"]["S"]) for claim in claims}
    found = [
        (page_id, profile)
        for page_id, profile in profiles.items()
        if {"owner_id", "name", "uuid"} <= profile.keys()
        and "deleted" not in profile
        and profile["uuid"]["S"].lower() == uuid.lower()
    ]
    return max(found, key=lambda one: _uuid_revision(one[1]), default=None)


def _uuid_revision(profile: Item) -> int:
    """Rows that are older than revisions have none."""
    return int(profile["uuid_revision"]["N"]) if "uuid_revision" in profile else 0


def _profile(table: Table, page_id: str) -> Item:
    return table.item(profile_row(page_id))


def _counters(
    table: Table, page_id: str, profile: Item, *, first: str = "day#"
) -> tuple[Counts, dict[date, Counts]]:
    """Totals and days, of the epoch that the profile names.

    The profile is read before: the base of its epoch is written whole by then. And consistently,
    so that no replica of DynamoDB's answers that has not got the base yet.
    """
    # Days sort before 'totals', so that one query brings both. The days after the last one that
    # is asked for come along: 8 KB for two months of them.
    sums = _sums(table.items(page_pk(page_id), start=first), epoch=epoch_of(profile))
    zeros: dict[Metric, int] = dict.fromkeys(METRICS, 0)
    totals = {**zeros, **sums.pop("totals", {})}
    return totals, {date_of(day): {**zeros, **counts} for day, counts in sums.items()}


def _sums(rows: Mapping[str, Item], *, epoch: int) -> dict[str, Counter[Metric]]:
    """What counts in this epoch, by day and as 'totals'."""
    sums: defaultdict[str, Counter[Metric]] = defaultdict(Counter)
    for sort_key, item in rows.items():
        if sort_key == "profile":
            continue
        row = CountersKey.of(sort_key)
        if row.epoch == epoch or (row.epoch > epoch and not row.is_base):
            sums[row.what].update({m: int(item[m]["N"]) for m in METRICS if m in item})
    return sums
