"""Behind API Gateway: takes a CSV file, looks at it, and stores it in S3.

| variable    | meaning                                            |
| ----------- | -------------------------------------------------- |
| `BUCKET`    | the bucket that files go to, below `uploads/`      |
| `MAX_BYTES` | the largest file; Lambda itself takes 4.5 MB or so |
"""

import functools
import logging
import os
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from accept_csv.checks import check
from accept_csv.problems import Refused, Response, answer, problem
from accept_csv.uploads import Event, Upload, upload_in

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "uploads/"

logger = logging.getLogger(__name__)


def handle(event: Event, context: object) -> Response:
    """201 with the name under which the file is stored, or a problem document."""
    try:
        upload = upload_in(event)
        table = check(upload, max_bytes=int(os.environ["MAX_BYTES"]))
        name = _store(upload)
    except Refused as refusal:
        logger.info("refused: %s", refusal.code)
        return problem(refusal)
    logger.info("stored %s: %d rows, %d bytes", name, table.rows, len(upload.content))
    return answer(
        HTTPStatus.CREATED,
        {
            "name": name,
            "original_name": upload.name,
            "size": len(upload.content),
            "columns": table.columns,
            "rows": table.rows,
        },
    )


def _store(upload: Upload) -> str:
    """The name is made here; nothing that the client wrote is part of it."""
    name = f"{PREFIX}{uuid4()}.csv"
    try:
        s3().put_object(
            Bucket=os.environ["BUCKET"],
            Key=name,
            Body=upload.content,
            ContentType="text/csv; charset=utf-8",
            # Metadata travels in headers, which are ASCII.
            Metadata={"original-name": quote(upload.name)},
        )
    except (BotoCoreError, ClientError):
        logger.exception("S3 did not take the file")
        raise Refused(
            "storage_unavailable",
            "The file could not be stored. Send it again in a moment.",
            HTTPStatus.SERVICE_UNAVAILABLE,
        ) from None
    return name


@functools.cache
def s3() -> "S3Client":
    """One for all requests that this process answers; the gateway waits 29 seconds."""
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 2}
        ),
    )
