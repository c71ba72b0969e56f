"""The statistics table: its keys, and its calls; the only module that calls DynamoDB.

One table, keys `pk` and `sk`:

| pk           | sk               | holds                                                         |
| ------------ | ---------------- | ------------------------------------------------------------- |
| page#<id>    | profile          | owner_id, name, uuid, each with its revision; epoch; or that  |
|              |                  | it is deleted, and nothing else until that expires            |
| page#<id>    | totals           | the six counters                                              |
| page#<id>    | day#<YYYY-MM-DD> | the same counters, the change on that UTC day                 |
| uuid#<lower> | page#<id>        | page_id: a page that has, or had, this uuid                   |
| user#<id>    | user             | blocked, leaving (yes or no), each with its revision; only of |
|              |                  | who ever was; or that they are deleted, until that expires    |
| event#<id>   | event            | the marker that this event is counted; expires by expires_at |

A page that was recounted has rows of counters by epoch, each with `@<epoch>` behind its key: what
that epoch's events add, and, with `@<epoch>:base`, what it begins with. Its numbers are the base
of the epoch in its profile and what the events of that epoch and of later ones add; rows of
earlier epochs are over and expire by expires_at.

Several pages may claim a uuid while events are on their way; the profile, which knows the page's
present uuid, decides.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from itertools import batched, islice
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from innotter_contracts.backoff import delays
from innotter_contracts.events import Metric

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestOutputTypeDef,
        WriteRequestTypeDef,
    )

# What DynamoDB allows in one transaction, and writes in one batch.
MAX_ACTIONS = 100
MAX_PUTS = 25
# Longer than any redelivery: dead letters have to be handled within that time.
MARKER_LIFE = timedelta(days=30)
# Some three seconds of attempts; callers know better what to do about a longer trouble.
_ATTEMPTS = 9

type Row = tuple[str, str]
type Item = Mapping[str, "AttributeValueTypeDef"]
type Counts = Mapping[Metric, int]
type Action = "TransactWriteItemTypeDef"


class StoreUnavailable(Exception):
    """DynamoDB gave no answer, or refused. The same call may be made again."""


class TransactionCancelled(Exception):
    """Nothing of the transaction was written; one code an action, "None" where it was not why."""

    def __init__(self, codes: Sequence[str]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes


@contextmanager
def failure_is_unavailability() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(str(error)) from error


@failure_is_unavailability()
def create_client() -> "DynamoDBClient":
    """DynamoDB as the environment says; its timeouts leave time for the broker's heartbeats.

    Raises StoreUnavailable where the environment names no region.
    """
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


class Table:
    """Calls `after_call` after each write and each attempt at one: a caller with something to
    keep alive can do so however many calls there are."""

    def __init__(
        self, client: "DynamoDBClient", name: str, after_call: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._after_call = after_call
        self.name = name

    def item(self, row: Row, *, consistent: bool = True) -> Item:
        """Empty where there is none."""
        answer = self._client.get_item(TableName=self.name, Key=key(row), ConsistentRead=consistent)
        return answer.get("Item", {})

    def items(self, pk: str, *, start: str = " ", consistent: bool = True) -> dict[str, Item]:
        """The items of a partition by their sort key, beginning with the sort key `start`."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk AND sk >= :sk",
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": start}},
            ConsistentRead=consistent,
        )
        return {item["sk"]["S"]: item for page in pages for item in page["Items"]}

    def rows_sorted_as(self, sort_keys: Sequence[str]) -> Iterator[Item]:
        """Every row of the table with one of these sort keys, by reading all of it."""
        names = {f":{n}": {"S": sort_key} for n, sort_key in enumerate(sort_keys)}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self.name,
            FilterExpression=f"sk IN ({', '.join(names)})",
            ExpressionAttributeValues=names,
        )
        return (item for page in pages for item in page["Items"])

    def overwrite(
        self,
        row: Row,
        values: Mapping[str, str],
        *,
        number: str,
        is_now: int,
        unless: str | None = None,
        without: Sequence[str] = (),
    ) -> Item | None:
        """Writes the values, and the attribute `number`, and removes those of `without`, unless a
        higher number is there, or the attribute `unless`.

        The item as it was before; None if nothing was written. The same again changes nothing.
        """
        condition = f"(attribute_not_exists(#{number}) OR #{number} <= :{number})"
        if unless:
            condition += f" AND attribute_not_exists({unless})"
        names = {f"#{name}": name for name in [*values, number]}
        written = {f":{name}": {"S": value} for name, value in values.items()}
        update = "SET " + ", ".join(f"{n} = :{n[1:]}" for n in names)
        if without:
            update += f" REMOVE {', '.join(without)}"
        try:
            answer = self._client.update_item(
                TableName=self.name,
                Key=key(row),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={**written, f":{number}": {"N": str(is_now)}},
                ReturnValues="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        finally:
            self._after_call()
        return answer.get("Attributes", {})

    def reduce(
        self,
        row: Row,
        without: Sequence[str],
        *,
        expires_at: "AttributeValueTypeDef",
        where: tuple[str, int],
    ) -> None:
        """Takes attributes from an item whose number `where` is still the same, and has it expire
        from now on."""
        number, value = where
        names = {f"#{n}": name for n, name in enumerate(without)}
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self.name,
                Key=key(row),
                UpdateExpression=f"SET expires_at = :expires_at REMOVE {', '.join(names)}",
                ConditionExpression=f"{number} = :number",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":expires_at": expires_at,
                    ":number": {"N": str(value)},
                },
            )
        self._after_call()

    def delete(self, row: Row) -> None:
        self._client.delete_item(TableName=self.name, Key=key(row))
        self._after_call()

    def delete_all(self, rows: Iterable[Row]) -> None:
        """Raises StoreUnavailable."""
        self._write_all({"DeleteRequest": {"Key": key(row)}} for row in rows)

    def put_all(self, items: Iterable[Item]) -> None:
        """Replaces whole items. Raises StoreUnavailable."""
        self._write_all({"PutRequest": {"Item": item}} for item in items)

    def _write_all(self, requests: "Iterable[WriteRequestTypeDef]") -> None:
        for some in batched(requests, MAX_PUTS, strict=False):
            left: Mapping[str, Sequence[WriteRequestOutputTypeDef | WriteRequestTypeDef]] = {
                self.name: list(some)
            }
            for delay in attempts():
                left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]
                self._after_call()
                if not left:
                    break
                time.sleep(delay)
            else:
                raise StoreUnavailable("the table is too busy")

    def transact(self, actions: Sequence[Action]) -> None:
        """All of them or none. Raises TransactionCancelled."""
        try:
            self._client.transact_write_items(TransactItems=actions)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code", "None") for reason in reasons]
            raise TransactionCancelled(codes) from error
        finally:
            self._after_call()

    def marker(self, event_id: UUID, *, expires_at: int) -> Action:
        """That an event is counted; refused where it has been."""
        return {
            "Put": {
                "TableName": self.name,
                "Item": {**key(event_row(event_id)), "expires_at": {"N": str(expires_at)}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def addition(self, row: Row, amounts: Counts) -> Action:
        return {
            "Update": {
                "TableName": self.name,
                "Key": key(row),
                "UpdateExpression": "ADD " + ", ".join(f"#{m} :{m}" for m in amounts),
                "ExpressionAttributeNames": {f"#{m}": m for m in amounts},
                "ExpressionAttributeValues": {f":{m}": {"N": str(n)} for m, n in amounts.items()},
            }
        }


def attempts() -> Iterator[float]:
    """Seconds to wait after each attempt."""
    return islice(delays(first=0.01, longest=1), _ATTEMPTS)


# --- Keys


class CountersKey(NamedTuple):
    """What a row of counters is about, from its sort key."""

    what: str
    epoch: int
    is_base: bool

    @classmethod
    def of(cls, sort_key: str) -> Self:
        what, _, rest = sort_key.partition("@")
        epoch, _, base = rest.partition(":")
        return cls(what, int(epoch or 0), bool(base))

    def __str__(self) -> str:
        epoch = f"@{self.epoch}" if self.epoch else ""
        return f"{self.what}{epoch}{':base' if self.is_base else ''}"


def key(row: Row) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": row[0]}, "sk": {"S": row[1]}}


def page_pk(page_id: UUID | str) -> str:
    return f"page#{page_id}"


def profile_row(page_id: UUID | str) -> Row:
    return page_pk(page_id), "profile"


def uuid_pk(uuid: str) -> str:
    return f"uuid#{uuid.lower()}"


def claim_row(uuid: str, page_id: UUID | str) -> Row:
    return uuid_pk(uuid), page_pk(page_id)


def user_row(user_id: UUID) -> Row:
    return f"user#{user_id}", "user"


def event_row(event_id: UUID) -> Row:
    return f"event#{event_id}", "event"


def day_key(day: date) -> str:
    return f"day#{day.isoformat()}"


def date_of(sort_key: str) -> date:
    return date.fromisoformat(sort_key.removeprefix("day#"))


def epoch_of(profile: Item) -> int:
    return int(profile["epoch"]["N"]) if "epoch" in profile else 0
