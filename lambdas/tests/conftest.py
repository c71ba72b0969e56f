"""Both functions, deployed from the template on an emulator where permissions count."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from dev import functions
from dev.aws import start_aws, url
from dev.ports import Port
from dev.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class Deployed:
    def __init__(self, session: boto3.Session, endpoint: str) -> None:
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint)
        self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint)
        self.functions = functions.deploy(session, endpoint, "innotter-csv")
        self.bucket = self.functions.bucket

    def post(self, **words: Any) -> httpx.Response:
        headers = {"x-api-key": self.functions.key, **words.pop("headers", {})}
        return httpx.post(self.functions.url, headers=headers, timeout=60, **words)

    def names(self) -> set[str]:
        answer = self.s3.list_objects_v2(Bucket=self.bucket)
        return {each["Key"] for each in answer.get("Contents", [])}

    def has(self, name: str) -> bool:
        return name in self.names()

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def rows(self, key: str) -> list[Any]:
        """Of the version that counts, in the order of their keys."""
        file = self.dynamodb.get_item(
            TableName=self.functions.table, Key={"pk": {"S": f"file#{key}"}, "sk": {"S": "file"}}
        )["Item"]
        answer = self.dynamodb.query(
            TableName=self.functions.table,
            KeyConditionExpression="pk = :rows",
            ExpressionAttributeValues={":rows": {"S": f"rows#{key}#{file['version']['S']}"}},
        )
        return [item["row"]["M"] for item in answer["Items"]]


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("functions")
    processes = Processes(folder / "logs")
    port = Port()
    try:
        start_aws(processes, folder / "aws", port, strict=True)
        yield Deployed(functions.EMULATED, url(port))
    finally:
        processes.stop()


def wait_until(condition: Callable[[], object], *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what the test waits for did not happen"
        time.sleep(0.1)
