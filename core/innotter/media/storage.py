"""Amazon S3: stores the files of pictures and knows their public URLs."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from innotter.common.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger(__name__)

type Size = Literal["large", "small"]
SIZES: tuple[Size, Size] = ("large", "small")


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"
    detail = "Picture storage is unavailable."


def image_url(name: str, size: Size = "large") -> str:
    """The public URL of a picture; its content never changes."""
    return f"{settings.MEDIA_URL}{_key(name, size)}"


def put(name: str, files: Mapping[Size, bytes]) -> None:
    """Raises StorageUnavailable."""
    with _available():
        for size, file in files.items():
            _client().put_object(
                Bucket=settings.MEDIA_BUCKET,
                Key=_key(name, size),
                Body=file,
                ContentType="image/webp",
                CacheControl="public, max-age=31536000, immutable",
            )


def read(name: str, size: Size = "large") -> bytes | None:
    """None for one whose file is lost. Raises StorageUnavailable."""
    with _available():
        try:
            found = _client().get_object(Bucket=settings.MEDIA_BUCKET, Key=_key(name, size))
        except _client().exceptions.NoSuchKey:
            return None
        return found["Body"].read()


def delete(names: Collection[str]) -> None:
    """At most 500 pictures, whether they are there or not. Raises StorageUnavailable."""
    keys = [_key(name, size) for name in names for size in SIZES]
    with _available():
        answer = _client().delete_objects(
            Bucket=settings.MEDIA_BUCKET,
            Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
        )
    if answer.get("Errors"):
        log.error("not_deleted", errors=answer["Errors"])
        raise StorageUnavailable


def _key(name: str, size: Size) -> str:
    return f"{name}/{size}.webp"


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        log.exception("storage_unavailable")
        raise StorageUnavailable from error


@cache
def _client() -> "S3Client":
    # Somebody waits for the answer. What is done twice here is as if it were done once.
    return boto3.client(
        "s3", config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
    )
