"""S3 and DynamoDB (dev/on_demand.py)."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from store_csv import handler
from store_csv.tests.resources import Bucket, TableOfRows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes | str], Path]:
    def write(content: bytes | str) -> Path:
        file = tmp_path / "people.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


@pytest.fixture(scope="session")
def dynamodb(aws: None) -> "DynamoDBClient":
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def table_name(dynamodb: "DynamoDBClient") -> Iterator[str]:
    name = f"test-{uuid.uuid4()}"
    dynamodb.create_table(
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
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def rows(dynamodb: "DynamoDBClient", table_name: str) -> TableOfRows:
    return TableOfRows(dynamodb, table_name)


@pytest.fixture(scope="session")
def bucket(aws: None) -> Bucket:
    bucket = Bucket(boto3.client("s3"), f"test-{uuid.uuid4()}")
    bucket.client.create_bucket(Bucket=bucket.name)
    bucket.client.put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    return bucket


@pytest.fixture
def _deployed(monkeypatch: pytest.MonkeyPatch, table_name: str) -> Iterator[None]:
    monkeypatch.setenv("TABLE", table_name)
    monkeypatch.setenv("KEY_COLUMN", "id")
    yield
    handler.s3.cache_clear()
    handler.dynamodb.cache_clear()
