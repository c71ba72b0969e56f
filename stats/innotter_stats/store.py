"""The statistics table; the only module that knows DynamoDB.

One table, keys `pk` and `sk`:

| pk           | sk               | holds                                                         |
| ------------ | ---------------- | ------------------------------------------------------------- |
| page#<id>    | profile          | owner_id, name, uuid, each with the moment since when; epoch  |
| page#<id>    | totals           | the six counters                                              |
| page#<id>    | day#<YYYY-MM-DD> | the same counters, the change on that UTC day                 |
| uuid#<lower> | page             | page_id, and since when                                       |
| user#<id>    | user             | blocked (yes or no), and since when; only of who ever was     |
| event#<id>   | event            | the marker that this event is counted; vanishes by expires_at |

A page that was recounted has rows of counters by epoch, each with `@<epoch>` behind its key: what
that epoch's events add, and, with `@<epoch>:base`, what it begins with. Its numbers are the base
of the epoch in its profile and what the events of that epoch and of later ones add; rows of
earlier epochs are over and vanish by expires_at.

A uuid that a page gave up keeps pointing at it until another page takes it; the profile,
which knows the page's present uuid, decides.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import batched, islice
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from innotter_contracts.counting import day_of, deltas
from innotter_contracts.events import METRICS, Event, Metric, PageRecounted
from innotter_stats.backoff import delays
from innotter_stats.facts import Block, Fact, facts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestOutputTypeDef,
        WriteRequestTypeDef,
    )

# What DynamoDB allows in one transaction.
MAX_ACTIONS = 100
# What DynamoDB writes in one batch.
MAX_PUTS = 25
# Counters of an epoch that is over: longer than anybody takes to read them.
OVER_LIFE = timedelta(days=1)
# Longer than any redelivery: what lies in a dead-letter queue is looked at within that time.
MARKER_LIFE = timedelta(days=30)
# Another transaction holds an item, or the table is too busy: the same transaction passes later.
_PASSING = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
# Some three seconds of attempts; whoever calls knows better what to do about a longer trouble.
_ATTEMPTS = 9

type Row = tuple[str, str]
type Item = Mapping[str, "AttributeValueTypeDef"]
type Counts = Mapping[Metric, int]


class StoreUnavailable(Exception):
    """DynamoDB gave no answer, or refused. The same call may be made again."""


class PageStatistics(NamedTuple):
    uuid: str
    name: str
    owner_id: UUID
    totals: Counts
    # Only the days on which something changed.
    days: Mapping[date, Counts]


def create_client() -> "DynamoDBClient":
    """DynamoDB as the environment says; its timeouts leave room for the broker's heartbeats."""
    return boto3.client(
        "dynamodb",
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 3},
            # As many as the API has threads.
            max_pool_connections=40,
        ),
    )


def create_table(client: "DynamoDBClient", name: str) -> None:
    """Makes the table unless it is there, and waits until it can be used."""
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if expiry.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )


@contextmanager
def _failure_is_unavailability() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(str(error)) from error


class Store:
    """May be shared by threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    @_failure_is_unavailability()
    def check(self) -> None:
        """Raises StoreUnavailable unless the table answers."""
        self._client.get_item(TableName=self._table, Key=_key(("health", "health")))

    @_failure_is_unavailability()
    def apply(self, events: Iterable[Event]) -> set[UUID]:
        """Takes in the events, each exactly once however often it comes here.

        Returns the ids of those that had been counted before. Raises StoreUnavailable; then
        some may be counted and some not, and calling again with the same events completes it.
        """
        distinct = {event.id: event for event in events}.values()
        # Facts first and outside of the transactions. A newer fact being there already must not
        # cancel the counting, and a crash before the counting brings the event, and so its
        # facts, here again.
        for event in distinct:
            for fact in facts(event):
                self._remember(fact)
            if isinstance(event, PageRecounted):
                self._begin_epoch(event.payload)
        counted = [event for event in distinct if deltas(event)]
        return {repeated for group in _transactions(counted) for repeated in self._count(group)}

    @_failure_is_unavailability()
    def statistics(self, uuid: str, first: date, last: date) -> PageStatistics | None:
        """A page's totals and the days from `first` to `last`; None if there is no such page."""
        page_id = self._page_id(uuid)
        if page_id is None:
            return None
        # Before the counters: the base of this epoch is written whole by then.
        profile = self._item((_page(page_id), "profile"))
        if not {"owner_id", "name", "uuid"} <= profile.keys() or "deleted" in profile:
            return None
        if profile["uuid"]["S"].lower() != uuid.lower():
            return None
        # Days sort before 'totals', so that one query brings both. The days after `last` come
        # along: 8 KB for two months of them.
        rows = self._items_from((_page(page_id), _day(first)))
        sums = _sums(rows, epoch=_epoch_of(profile))
        return PageStatistics(
            uuid=profile["uuid"]["S"],
            name=profile["name"]["S"],
            owner_id=UUID(profile["owner_id"]["S"]),
            totals={**dict.fromkeys(METRICS, 0), **sums.pop("totals", {})},
            days={
                _date(day): {**dict.fromkeys(METRICS, 0), **counts}
                for day, counts in sums.items()
                if _date(day) <= last
            },
        )

    @_failure_is_unavailability()
    def is_blocked(self, user_id: UUID) -> bool:
        """Whether the user is shut out, as far as events have told."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=_key(_user(user_id)),
            # Another replica of DynamoDB's might not know it yet.
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return item is not None and item["blocked"]["S"] == "yes"

    def _page_id(self, uuid: str) -> str | None:
        item = self._item(_uuid(uuid))
        return item["page_id"]["S"] if item else None

    def _item(self, row: Row) -> Item:
        return self._client.get_item(TableName=self._table, Key=_key(row)).get("Item", {})

    def _items_from(self, start: Row) -> dict[str, Item]:
        """The items of a partition by their sort key, beginning with `start`'s."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk >= :sk",
            ExpressionAttributeValues={":pk": {"S": start[0]}, ":sk": {"S": start[1]}},
        )
        return {item["sk"]["S"]: item for page in pages for item in page["Items"]}

    def _remember(self, fact: Fact | Block) -> None:
        if isinstance(fact, Block):
            value = "yes" if fact.blocked else "no"
            self._set(_user(fact.user_id), "blocked", value, fact.since)
            return
        self._set((_page(str(fact.page_id)), "profile"), fact.name, fact.value, fact.since)
        if fact.name == "uuid":
            self._set(_uuid(fact.value), "page_id", str(fact.page_id), fact.since)

    def _set(self, row: Row, name: str, value: str, since: datetime) -> None:
        """Writes an attribute, unless what is there has been so since a later moment."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=_key(row),
                UpdateExpression="SET #value = :value, #since = :since",
                ConditionExpression="attribute_not_exists(#since) OR #since < :since",
                ExpressionAttributeNames={"#value": name, "#since": f"{name}_since"},
                ExpressionAttributeValues={
                    ":value": {"S": value},
                    ":since": {"S": _sortable(since)},
                },
            )

    def _begin_epoch(self, page: PageRecounted.Payload) -> None:
        """All of the base first, then the word that it counts. The same again changes nothing."""
        pk = _page(str(page.page_id))
        if _epoch_of(self._item((pk, "profile"))) >= page.epoch:
            return
        totals: Counter[Metric] = Counter()
        for day in page.days:
            totals.update(day.counts)
        base = {_day(day.date): day.counts for day in page.days} | {"totals": totals}
        self._put(
            {**_key((pk, f"{what}@{page.epoch}:base")), **_amounts(counts)}
            for what, counts in base.items()
        )
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=_key((pk, "profile")),
                UpdateExpression="SET epoch = :epoch",
                ConditionExpression="attribute_not_exists(epoch) OR epoch < :epoch",
                ExpressionAttributeValues={":epoch": {"N": str(page.epoch)}},
            )
        # Whoever reads just now may still need what is over.
        expires_at = str(int((datetime.now(UTC) + OVER_LIFE).timestamp()))
        self._put(
            {**item, "expires_at": {"N": expires_at}}
            for key, item in self._items_from((pk, "day#")).items()
            if key != "profile" and _Counters.of(key).epoch < page.epoch
        )

    def _put(self, items: Iterable[Item]) -> None:
        """Writes items whole, whatever was there."""
        for some in batched(items, MAX_PUTS, strict=False):
            left: Mapping[str, Sequence[WriteRequestOutputTypeDef | WriteRequestTypeDef]] = {
                self._table: [{"PutRequest": {"Item": item}} for item in some]
            }
            for delay in islice(delays(first=0.01, longest=1), _ATTEMPTS):
                left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]
                if not left:
                    break
                time.sleep(delay)
            else:
                raise StoreUnavailable("the table is too busy")

    def _count(self, events: list[Event]) -> set[UUID]:
        """Counts events that fit one transaction; the ids of those that were counted already."""
        repeated: set[UUID] = set()
        for delay in islice(delays(first=0.01, longest=1), _ATTEMPTS):
            try:
                self._transact(events)
                return repeated
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = error.response.get("CancellationReasons", [])
                codes = [reason.get("Code", "None") for reason in reasons]
                # Markers come first in a transaction, one an event. The counters' updates have
                # no condition that could fail.
                seen = {
                    event.id
                    for event, code in zip(events, codes, strict=False)
                    if code == "ConditionalCheckFailed"
                }
                if not seen and not set(codes) <= _PASSING:
                    raise
            repeated |= seen
            events = [event for event in events if event.id not in seen]
            if not events:
                return repeated
            if not seen:
                time.sleep(delay)
        raise StoreUnavailable("the same items are being changed by too many others")

    def _transact(self, events: list[Event]) -> None:
        expires_at = int((datetime.now(UTC) + MARKER_LIFE).timestamp())
        sums: defaultdict[Row, Counter[Metric]] = defaultdict(Counter)
        for event in events:
            for row, metric, amount in _changes(event):
                sums[row][metric] += amount
        self._client.transact_write_items(
            TransactItems=[
                *(self._marker(event, expires_at) for event in events),
                *(self._addition(row, amounts) for row, amounts in sums.items()),
            ]
        )

    def _marker(self, event: Event, expires_at: int) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    **_key((f"event#{event.id}", "event")),
                    "expires_at": {"N": str(expires_at)},
                },
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _addition(self, row: Row, amounts: Mapping[Metric, int]) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(row),
                "UpdateExpression": "ADD " + ", ".join(f"#{m} :{m}" for m in amounts),
                "ExpressionAttributeNames": {f"#{m}": m for m in amounts},
                "ExpressionAttributeValues": {f":{m}": {"N": str(n)} for m, n in amounts.items()},
            }
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
        for what in ("totals", _day(day_of(event))):
            key = f"{what}@{epoch}" if epoch else what
            yield (_page(str(page_id)), key), metric, amount


class _Counters(NamedTuple):
    """What a row of counters is about, from its sort key."""

    what: str
    epoch: int
    is_base: bool

    @classmethod
    def of(cls, sort_key: str) -> Self:
        what, _, rest = sort_key.partition("@")
        epoch, _, base = rest.partition(":")
        return cls(what, int(epoch or 0), bool(base))


def _sums(rows: Mapping[str, Item], *, epoch: int) -> dict[str, Counter[Metric]]:
    """What counts in this epoch, by day and as 'totals'."""
    sums: defaultdict[str, Counter[Metric]] = defaultdict(Counter)
    for key, item in rows.items():
        if key == "profile":
            continue
        row = _Counters.of(key)
        if row.epoch == epoch or (row.epoch > epoch and not row.is_base):
            sums[row.what].update({m: int(item[m]["N"]) for m in METRICS if m in item})
    return sums


def _epoch_of(profile: Item) -> int:
    return int(profile["epoch"]["N"]) if "epoch" in profile else 0


def _key(row: Row) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": row[0]}, "sk": {"S": row[1]}}


def _page(page_id: str) -> str:
    return f"page#{page_id}"


def _uuid(uuid: str) -> Row:
    return f"uuid#{uuid.lower()}", "page"


def _user(user_id: UUID) -> Row:
    return f"user#{user_id}", "user"


def _day(day: date) -> str:
    return f"day#{day.isoformat()}"


def _date(sort_key: str) -> date:
    return date.fromisoformat(sort_key.removeprefix("day#"))


def _sortable(moment: datetime) -> str:
    """As text of one width, whose order is that of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _amounts(counts: Mapping[Metric, int]) -> "dict[str, AttributeValueTypeDef]":
    return {metric: {"N": str(amount)} for metric, amount in counts.items()}
