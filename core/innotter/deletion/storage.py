"""Amazon S3: the ids of all who were ever deleted. It outlives any backup of the database, so that
one that is restored can be rid of them again."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from innotter.media.storage import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# In EXPORT_BUCKET, beside the archives. The id is a random number: it names nobody any more.
PREFIX = "deleted-users/"


def remember(user_id: UUID) -> None:
    """Repeating it changes nothing. Raises StorageUnavailable."""
    try:
        _client().put_object(Bucket=settings.EXPORT_BUCKET, Key=f"{PREFIX}{user_id}", Body=b"")
    except (BotoCoreError, ClientError) as error:
        raise StorageUnavailable from error


def remembered() -> Iterator[UUID]:
    """Raises StorageUnavailable."""
    pages = _client().get_paginator("list_objects_v2")
    try:
        for page in pages.paginate(Bucket=settings.EXPORT_BUCKET, Prefix=PREFIX):
            for found in page.get("Contents", []):
                yield UUID(found["Key"].removeprefix(PREFIX))
    except (BotoCoreError, ClientError) as error:
        raise StorageUnavailable from error


@cache
def _client() -> "S3Client":
    return boto3.client(
        "s3", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    )
