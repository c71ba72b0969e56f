"""The table of rows; the only module that knows DynamoDB.

| pk                   | sk             | holds                                                   |
| -------------------- | -------------- | ------------------------------------------------------- |
| file#<key>           | file           | `version`, whose rows count; `versions`, that have rows |
| rows#<key>#<version> | key of the row | `number` of the row in the file, `row`: its columns     |

BatchWriteItem takes no conditions, so that rows of an old version could overwrite those of a
new one. Therefore each version has rows of its own, and one conditional write decides which
version counts. Readers see a file as a whole: the old one until that write, then the new one.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

# What BatchWriteItem takes.
BATCH = 25
THREADS = 8
# Seconds before another attempt: at random up to these, doubling.
FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0
# Seconds that must be left when the work is given up, so that it ends with a word.
MARGIN = 5.0
BUSY = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}

type Item = dict[str, Any]


class OutOfTime(Exception):
    """DynamoDB throttles. The caller has to retry the function."""


class Table:
    """One file of it. `remaining()` returns the seconds that are left."""

    def __init__(
        self, client: "DynamoDBClient", name: str, file: str, *, remaining: Callable[[], float]
    ) -> None:
        self._client = client
        self._name = name
        self._file = file
        self._key = {"pk": {"S": f"file#{file}"}, "sk": {"S": "file"}}
        self._remaining = remaining

    def announce(self, version: str) -> bool:
        """Says that there may be rows of the version from now on. False: a newer one counts."""
        there = self._client.update_item(
            TableName=self._name,
            Key=self._key,
            UpdateExpression="ADD versions :these",
            ExpressionAttributeValues={":these": {"SS": [version]}},
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return "version" not in there or there["version"]["S"] <= version

    def put(
        self, version: str, frame: pd.DataFrame, numbers: set[str], key_column: str | None
    ) -> None:
        self._write(
            {"PutRequest": {"Item": item}}
            for item in self._items(version, frame, numbers, key_column)
        )

    def publish(self, version: str) -> bool:
        """From now on the version counts. False: a newer one does."""
        try:
            self._client.update_item(
                TableName=self._name,
                Key=self._key,
                UpdateExpression="SET version = :this",
                ConditionExpression="attribute_not_exists(version) OR version <= :this",
                ExpressionAttributeValues={":this": {"S": version}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def clear(self, version: str) -> None:
        """Deletes the rows of a version that does not count."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :rows",
            ExpressionAttributeValues={":rows": {"S": self._rows(version)}},
            ProjectionExpression="pk, sk",
        )
        for page in pages:
            self._write({"DeleteRequest": {"Key": key}} for key in page["Items"])
        self._client.update_item(
            TableName=self._name,
            Key=self._key,
            UpdateExpression="DELETE versions :these",
            ExpressionAttributeValues={":these": {"SS": [version]}},
        )

    def clear_older(self, version: str) -> None:
        there = self._client.get_item(TableName=self._name, Key=self._key, ConsistentRead=True)
        for other in there["Item"]["versions"]["SS"]:
            if other < version:
                self.clear(other)

    def _rows(self, version: str) -> str:
        return f"rows#{self._file}#{version}"

    def _items(
        self, version: str, frame: pd.DataFrame, numbers: set[str], key_column: str | None
    ) -> Iterator[Item]:
        columns = [(str(name), "N" if name in numbers else "S") for name in frame.columns]
        for number, *values in frame.itertuples(name=None):
            row = {
                name: {kind: value.strip() if kind == "N" else value}
                for (name, kind), value in zip(columns, values, strict=True)
            }
            # With no key: in the order of the file.
            key = f"{number:012}"
            if key_column is not None:
                [key] = row[key_column].values()
            yield {
                "pk": {"S": self._rows(version)},
                "sk": {"S": key.strip()},
                "number": {"N": str(number)},
                "row": {"M": row},
            }

    def _write(self, requests: "Iterable[WriteRequestTypeDef]") -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._write_batch, batched(requests, BATCH, strict=False)))

    def _write_batch(self, requests: "tuple[WriteRequestTypeDef, ...]") -> None:
        pending: Any = list(requests)
        longest = FIRST_DELAY
        while pending := self._unprocessed(pending):
            delay = random.uniform(0, longest)  # noqa: S311
            if self._remaining() - delay < MARGIN:
                raise OutOfTime
            time.sleep(delay)
            longest = min(2 * longest, LONGEST_DELAY)

    def _unprocessed(self, requests: Any) -> Any:
        try:
            answer = self._client.batch_write_item(RequestItems={self._name: requests})
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in BUSY:
                return requests
            raise
        return answer["UnprocessedItems"].get(self._name)
