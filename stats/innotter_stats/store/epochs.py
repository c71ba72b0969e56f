"""Replaces the counters of a page that was recounted, with no moment of wrong numbers."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from innotter_contracts.events import Metric, PageRecounted
from innotter_stats.store.table import (
    MAX_PUTS,
    CountersKey,
    Counts,
    Table,
    day_key,
    epoch_of,
    key,
    page_pk,
    profile_row,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# Counters of an epoch that is over: longer than anybody takes to read them.
OVER_LIFE = timedelta(days=1)


def begin(table: Table, page: PageRecounted.Payload) -> None:
    """All of the base first, then the word that it counts. The same again changes nothing."""
    pk, profile = page_pk(page.page_id), profile_row(page.page_id)
    before = table.item(profile)
    if "deleted" in before or epoch_of(before) >= page.epoch:
        return
    totals: Counter[Metric] = Counter()
    for day in page.days:
        totals.update(day.counts)
    base: dict[str, Counts] = {day_key(day.date): day.counts for day in page.days}
    table.put_all(
        {**key((pk, str(CountersKey(what, page.epoch, is_base=True)))), **_amounts(counts)}
        for what, counts in {**base, "totals": totals}.items()
    )
    table.overwrite(profile, {}, number="epoch", is_now=page.epoch)
    # Somebody who reads just now may still need what is over.
    expires_at = str(int((datetime.now(UTC) + OVER_LIFE).timestamp()))
    table.put_all(
        {**item, "expires_at": {"N": expires_at}}
        for sort_key, item in table.items(pk, start="day#").items()
        if sort_key != profile[1]
        and CountersKey.of(sort_key).epoch < page.epoch
        and "expires_at" not in item
    )


def calls_to_begin(page: PageRecounted.Payload) -> int:
    """About how many calls it takes: the base is written, and as many rows of the epoch before,
    its base and what was added to it, are made to expire."""
    return 3 + 3 * ceil((len(page.days) + 1) / MAX_PUTS)


def _amounts(counts: Counts) -> "dict[str, AttributeValueTypeDef]":
    return {metric: {"N": str(amount)} for metric, amount in counts.items()}
