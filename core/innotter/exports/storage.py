"""Amazon S3: the archives, in a bucket of their own that nobody reads but by a signed URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from innotter.media.storage import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger(__name__)

URL_LIFE = timedelta(minutes=5)
FILE_NAME = "innotter-export.zip"


class UploadLost(Exception):
    """S3 knows nothing of this multipart upload any more."""


def key_of(user_id: UUID) -> str:
    return f"exports/{user_id}.zip"


def begin(key: str) -> str:
    """A multipart upload; its id. Raises StorageUnavailable."""
    with _available():
        answer = _client().create_multipart_upload(
            Bucket=settings.EXPORT_BUCKET, Key=key, ContentType="application/zip"
        )
        return answer["UploadId"]


def put_part(key: str, upload_id: str, number: int, data: bytes) -> str:
    """The part's tag. Putting it again replaces it. Raises StorageUnavailable, UploadLost."""
    with _available():
        answer = _client().upload_part(
            Bucket=settings.EXPORT_BUCKET,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=data,
        )
        return answer["ETag"]


def complete(key: str, upload_id: str, tags: list[str]) -> None:
    """Raises StorageUnavailable, UploadLost."""
    with _available():
        _client().complete_multipart_upload(
            Bucket=settings.EXPORT_BUCKET,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, start=1)]
            },
        )


def forget(key: str, upload_id: str) -> None:
    """The archive and what there is of an unfinished one. Raises StorageUnavailable."""
    with _available():
        if upload_id:
            _abort(key, upload_id)
        _client().delete_object(Bucket=settings.EXPORT_BUCKET, Key=key)


def url_of(key: str) -> str:
    """Everybody who has it may fetch the archive for URL_LIFE. Asks nobody."""
    return _public_client().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings.EXPORT_BUCKET,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{FILE_NAME}"',
        },
        ExpiresIn=int(URL_LIFE.total_seconds()),
    )


def _abort(key: str, upload_id: str) -> None:
    try:
        _client().abort_multipart_upload(Bucket=settings.EXPORT_BUCKET, Key=key, UploadId=upload_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchUpload":
            raise UploadLost from error
        log.warning("storage_unavailable", error=repr(error))
        raise StorageUnavailable from error


@cache
def _client() -> "S3Client":
    return boto3.client(
        "s3", config=Config(connect_timeout=2, read_timeout=60, retries={"total_max_attempts": 3})
    )


@cache
def _public_client() -> "S3Client":
    """It signs for the host that browsers know."""
    return boto3.client(
        "s3",
        endpoint_url=settings.EXPORT_ENDPOINT_URL,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"})
        if settings.EXPORT_ENDPOINT_URL
        else Config(signature_version="s3v4"),
    )
