"""Time zones by their IANA names, and a clock's hour in them."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.core.exceptions import ValidationError

LONGEST_ZONE = 64


@cache
def names() -> frozenset[str]:
    """Those that this machine knows, as `Europe/Riga`."""
    return frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}


def known_time_zone(name: str) -> None:
    """A validator. Raises ValidationError."""
    if name not in names():
        raise ValidationError("Unknown time zone.", code="unknown_time_zone")


def zone(name: str) -> ZoneInfo:
    """UTC in place of one that this machine does not know, or knows no longer."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def next_hour_of_day(since: datetime, hour: int, name: str) -> datetime:
    """When the clocks of a zone next show this full hour, after a moment; in UTC.

    Once a day: of an hour that the clocks show twice it is the first, and for one that they leave
    out the moment at which they do.
    """
    day = since.astimezone(zone(name)).date()
    moments = (_at(day + timedelta(days=n), hour, name) for n in range(3))
    return next(moment for moment in moments if moment > since)


def _at(day: date, hour: int, name: str) -> datetime:
    # PEP 495: with fold=0 a time that is doubled is the first, and of one that is left out the
    # distance to the last change counts on.
    return datetime.combine(day, time(hour), zone(name)).astimezone(UTC)
