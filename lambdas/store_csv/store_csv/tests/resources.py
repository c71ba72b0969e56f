"""What surrounds the function: the bucket, its events, the table as readers see it."""

import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Event = dict[str, Any]

_sequence = itertools.count(1)


class Context(NamedTuple):
    seconds: float = 300

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Bucket(NamedTuple):
    client: "S3Client"
    name: str

    def write(
        self, key: str, content: bytes | str, *, metadata: Mapping[str, str] | None = None
    ) -> Event:
        """The event that S3 would send for it."""
        body = content.encode() if isinstance(content, str) else content
        answer = self.client.put_object(
            Bucket=self.name, Key=key, Body=body, Metadata=metadata or {}
        )
        return event_of(
            self.name, key, etag=answer["ETag"].strip('"'), version_id=answer["VersionId"]
        )

    def report(self, key: str) -> Any:
        """None: there is none."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=f"{key}.report.json")
        except ClientError:
            return None
        return json.load(answer["Body"])


class TableOfRows(NamedTuple):
    client: "DynamoDBClient"
    name: str

    def of(self, key: str) -> dict[str, dict[str, Any]]:
        """The rows of the version that counts, by their keys, as a reader gets them."""
        file = self.file(key)
        if "version" not in file:
            return {}
        return self.of_version(key, file["version"]["S"])

    def of_version(self, key: str, version: str) -> dict[str, dict[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :rows",
            ExpressionAttributeValues={":rows": {"S": f"rows#{key}#{version}"}},
        )
        return {item["sk"]["S"]: dict(item["row"]["M"]) for page in pages for item in page["Items"]}

    def file(self, key: str) -> dict[str, Any]:
        answer = self.client.get_item(
            TableName=self.name,
            Key={"pk": {"S": f"file#{key}"}, "sk": {"S": "file"}},
            ConsistentRead=True,
        )
        return dict(answer.get("Item", {}))


def event_of(
    bucket: str,
    key: str,
    *,
    etag: str = "d41d8cd98f00b204e9800998ecf8427e",
    version_id: str | None = None,
    sequencer: str | None = None,
    name: str = "ObjectCreated:Put",
) -> Event:
    """Keys travel as in the query of a URL; each event has a greater sequencer."""
    written = {
        "key": quote_plus(key, safe="/"),
        "size": 1,
        "eTag": etag,
        "sequencer": sequencer or f"0055AED6DCD9{next(_sequence):06X}",
    }
    if version_id:
        written["versionId"] = version_id
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": name,
                "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": written},
            }
        ]
    }
