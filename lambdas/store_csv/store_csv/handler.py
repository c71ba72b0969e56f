"""On the event of S3: reads a CSV file, and stores the rows without a null in DynamoDB.

| variable     | meaning                                                     |
| ------------ | ----------------------------------------------------------- |
| `TABLE`      | the table of rows                                           |
| `KEY_COLUMN` | the column that identifies a row, in files that have it     |
"""

import functools
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config

from store_csv.report import Tally
from store_csv.rows import Refused, Rows, layout_of
from store_csv.sources import Gone, Source, downloaded, put_report, sources_in
from store_csv.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)


class Context(Protocol):
    def get_remaining_time_in_millis(self) -> int: ...


def handle(event: Mapping[str, Any], context: Context) -> None:
    """May run twice for an event, and for events of one file in any order.

    What it raises makes Lambda call it again, and at last brings the event to the queue of
    events that failed.
    """
    for source in sources_in(event):
        table = Table(
            dynamodb(),
            os.environ["TABLE"],
            source.key,
            remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        try:
            _take(source, table)
        except Gone:
            logger.info("%s has been deleted or replaced", source.key)


def _take(source: Source, table: Table) -> None:
    with downloaded(s3(), source) as (file, original_name):
        report: dict[str, Any] = {"source": source.key, "original_name": original_name}
        try:
            layout = layout_of(file)
            rows = Rows(file, layout, os.environ["KEY_COLUMN"])
            tally, numbers = rows.look()
        except Refused as refusal:
            logger.info("refused %s: %s", source.key, refusal.code)
            refused = {"code": refusal.code, "detail": refusal.detail}
            _report(source, {**report, "status": "refused", "refusal": refused})
            return
        version = source.sequencer
        if table.announce(version):
            for frame in rows.kept(Tally()):
                table.put(version, frame, numbers, rows.key_column)
        if not table.publish(version):
            logger.info("a newer version of %s is there", source.key)
            table.clear(version)
            return
        table.clear_older(version)
        kinds = {name: "number" if name in numbers else "text" for name in layout.columns}
        found = {
            "delimiter": layout.delimiter,
            "columns": kinds,
            "key_column": rows.key_column,
            **tally.as_document(),
        }
        _report(source, {**report, "status": "stored", **found})
        logger.info("stored %s: %d of %d rows", source.key, tally.kept, tally.read)


def _report(source: Source, report: dict[str, Any]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    put_report(s3(), source, {**report, "finished_at": now})


# One of each for all events that this process is given.


@functools.cache
def s3() -> "S3Client":
    return boto3.client("s3", config=_config())


@functools.cache
def dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb", config=_config())


def _config() -> Config:
    return Config(
        connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
    )
