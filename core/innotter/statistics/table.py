"""Reads what statistics shows, from its table; writes nothing there.

The keys are explained in docs/statistics.md. They are the statistics service's business: this
page and a test of the whole stack are all that has to follow when it changes them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

import boto3
from botocore.config import Config

from innotter_contracts.events import METRICS, Metric

type Counts = Counter[Metric]


class Shown(NamedTuple):
    uuid: str | None
    name: str | None
    owner_id: str | None
    totals: Counts
    days: Mapping[date, Counts]


class Table:
    """May be shared by threads."""

    def __init__(self, name: str) -> None:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        self._client = boto3.client("dynamodb", config=config)
        self._name = name

    def has_counted(self, event_id: UUID) -> bool:
        key = {"pk": {"S": f"event#{event_id}"}, "sk": {"S": "event"}}
        return "Item" in self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)

    def shown(self, page_id: UUID) -> Shown:
        """What is shown of a page, on all of its days."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"page#{page_id}"}},
            ConsistentRead=True,
        )
        rows = {row["sk"]["S"]: row for page in pages for row in page["Items"]}
        profile = rows.pop("profile", {})
        epoch = int(profile["epoch"]["N"]) if "epoch" in profile else 0
        sums: defaultdict[str, Counts] = defaultdict(Counter)
        for key, row in rows.items():
            what, _, rest = key.partition("@")
            number, _, base = rest.partition(":")
            # The epoch's base, and what it and later ones add.
            if int(number or 0) == epoch or (int(number or 0) > epoch and not base):
                sums[what].update({m: int(row[m]["N"]) for m in METRICS if m in row})
        uuid, name, owner_id = (
            profile[what]["S"] if what in profile else None for what in ("uuid", "name", "owner_id")
        )
        return Shown(
            uuid,
            name,
            owner_id,
            totals=sums.pop("totals", Counter()),
            days={date.fromisoformat(what.removeprefix("day#")): n for what, n in sums.items()},
        )
