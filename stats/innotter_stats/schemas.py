"""The answers of the API, as its document shows them."""

from datetime import date, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from innotter_contracts.events import METRICS
from innotter_stats.store import PageStatistics

_COUNTERS: JsonDict = {
    "posts": 12,
    "replies": 3,
    "replies_received": 5,
    "likes": 40,
    "followers": 17,
    "follow_requests": 2,
}
_EXAMPLE: JsonDict = {
    "page": {"uuid": "morning-coffee", "name": "Morning coffee"},
    "totals": _COUNTERS,
    "daily": [{"date": "2026-11-20", **_COUNTERS}],
    "as_of": "2026-11-20T09:15:00Z",
}


class Counters(BaseModel):
    posts: int
    replies: int
    replies_received: int
    likes: int
    followers: int
    follow_requests: int


if set(Counters.model_fields) != set(METRICS):
    raise TypeError("Counters must show every metric of the contract, and nothing else")


class Dated(BaseModel):
    date: date


class Day(Counters, Dated):
    """The change on one UTC day: below zero where more was taken back than given."""


class Page(BaseModel):
    uuid: str
    name: str


class Statistics(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    page: Page
    totals: Counters
    daily: list[Day]
    as_of: datetime = Field(
        description="When this was read. What happened just before may still be on its way."
    )

    @classmethod
    def of(cls, found: PageStatistics, first: date, last: date, *, as_of: datetime) -> Self:
        nothing = dict.fromkeys(METRICS, 0)
        days = (date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))
        return cls.model_validate(
            {
                "page": {"uuid": found.uuid, "name": found.name},
                "totals": found.totals,
                "daily": [{"date": day, **found.days.get(day, nothing)} for day in days],
                "as_of": as_of,
            }
        )


class Health(BaseModel):
    status: Literal["ok"]
