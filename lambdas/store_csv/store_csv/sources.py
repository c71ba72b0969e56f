"""Files and reports in S3; the only module that knows S3.

The report of `uploads/x.csv` is `uploads/x.csv.report.json`, and wakes nobody.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, unquote_plus

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SUFFIX = ".csv"
REPORT_SUFFIX = ".report.json"
# Longer than any sequencer that S3 gives.
SEQUENCER_LENGTH = 40
# Others who write the same report at the same time; each of them writes it once.
ATTEMPTS = 20

GONE = {"NoSuchKey", "NoSuchVersion", "PreconditionFailed"}
OVERTAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}

logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """One version of a file."""

    bucket: str
    key: str
    # Of two versions of one key, the one with the greater sequencer is the newer.
    sequencer: str
    etag: str
    # Only in buckets that keep versions.
    version_id: str | None


class Gone(Exception):
    """The version is not there any more: deleted or replaced, which has an event of its own."""


def sources_in(event: Mapping[str, Any]) -> Iterator[Source]:
    """What has been written, according to an event of S3. Its test event names nothing."""
    for record in event.get("Records", []):
        written = record["s3"]["object"]
        key = unquote_plus(written["key"])
        if record["eventName"].startswith("ObjectCreated:") and key.lower().endswith(SUFFIX):
            yield Source(
                bucket=record["s3"]["bucket"]["name"],
                key=key,
                # S3 says how to compare: the shorter one is filled up with zeros at its right.
                sequencer=written["sequencer"].upper().ljust(SEQUENCER_LENGTH, "0"),
                etag=written["eTag"],
                version_id=written.get("versionId"),
            )


@contextmanager
def downloaded(client: "S3Client", source: Source) -> Iterator[tuple[Path, str | None]]:
    """The file on disk, and the name that its sender gave it. Raises Gone.

    It is read twice and slowly; a connection to S3 would not wait for that.
    """
    version: Any = {"VersionId": source.version_id} if source.version_id else {}
    with tempfile.NamedTemporaryFile() as file:
        try:
            answer = client.get_object(
                Bucket=source.bucket, Key=source.key, IfMatch=f'"{source.etag}"', **version
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                raise Gone from error
            raise
        with closing(answer["Body"]) as body:
            shutil.copyfileobj(body, file)
        file.flush()
        name = answer["Metadata"].get("original-name")
        yield Path(file.name), unquote(name) if name else None


def put_report(client: "S3Client", source: Source, report: Mapping[str, Any]) -> None:
    """Beside the source, unless the report of a newer version is there."""
    key = source.key + REPORT_SUFFIX
    body = json.dumps({"sequencer": source.sequencer, **report}, ensure_ascii=False, indent=2)
    condition: Any = {"IfNoneMatch": "*"}
    for _ in range(ATTEMPTS):
        try:
            client.put_object(
                Bucket=source.bucket,
                Key=key,
                Body=body.encode(),
                ContentType="application/json",
                **condition,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in OVERTAKEN:
                raise
        else:
            return
        condition = _over_what_is_there(client, source, key)
        if condition is None:
            logger.info("the report of a newer version of %s is there", source.key)
            return
    raise RuntimeError(f"{key} changes all the time")


def _over_what_is_there(client: "S3Client", source: Source, key: str) -> Any:
    """On which condition the report may be written; None: not at all."""
    try:
        there = client.get_object(Bucket=source.bucket, Key=key)
    except client.exceptions.NoSuchKey:
        return {"IfNoneMatch": "*"}
    with closing(there["Body"]) as body:
        newer = json.load(body)["sequencer"] > source.sequencer
    return None if newer else {"IfMatch": there["ETag"]}
