"""The next hour of a day, on the clocks of every zone and on both days of a change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innotter.common.time_zones import names, next_hour_of_day, zone
from innotter.conftest import property_tests

MOMENTS = st.datetimes(
    datetime(1990, 1, 1, tzinfo=UTC).replace(tzinfo=None),
    datetime(2037, 1, 1, tzinfo=UTC).replace(tzinfo=None),
    timezones=st.just(UTC),
)


@property_tests(300)
@given(MOMENTS, st.integers(0, 23), st.sampled_from(sorted(names())))
def test_it_is_when_the_clocks_show_it_first(since: datetime, hour: int, name: str) -> None:
    clocks = ZoneInfo(name)
    due = next_hour_of_day(since, hour, name)
    shown = next(
        moment
        for moment in quarters_of_an_hour_after(since)
        if (local := moment.astimezone(clocks)).hour == hour and not (local.minute or local.fold)
    )
    if due != shown:
        # These clocks leave that hour out: they have changed within this one.
        hour_before = (due - timedelta(hours=1)).astimezone(clocks)
        assert since < due < shown
        assert hour_before.utcoffset() != due.astimezone(clocks).utcoffset()
    # Whatever waits since any moment before it leaves then: nothing comes twice.
    assert next_hour_of_day(since + (due - since) / 2, hour, name) == due


def quarters_of_an_hour_after(moment: datetime) -> Iterator[datetime]:
    """All offsets of our time are such."""
    quarter = timedelta(minutes=15)
    first = moment - (moment - moment.min.replace(tzinfo=UTC)) % quarter
    yield from (first + n * quarter for n in range(1, 4 * 50))


@pytest.mark.parametrize(
    ("since", "hour", "due"),
    [
        # Riga leaves out 3:00 on 30 March 2031, and shows it twice on 26 October.
        ("2031-03-29T12:00+02:00", 3, "2031-03-30T04:00+03:00"),
        ("2031-03-30T12:00+03:00", 3, "2031-03-31T03:00+03:00"),
        ("2031-10-25T12:00+03:00", 3, "2031-10-26T03:00+03:00"),
        ("2031-10-26T03:30+03:00", 3, "2031-10-27T03:00+02:00"),
        ("2031-10-26T03:30+02:00", 3, "2031-10-27T03:00+02:00"),
        ("2031-03-29T12:00+02:00", 8, "2031-03-30T08:00+03:00"),
        ("2031-10-25T12:00+03:00", 8, "2031-10-26T08:00+02:00"),
        # At the very hour it is over.
        ("2031-05-14T08:00+03:00", 8, "2031-05-15T08:00+03:00"),
    ],
)
def test_on_both_days_of_a_change(since: str, hour: int, due: str) -> None:
    found = next_hour_of_day(datetime.fromisoformat(since), hour, "Europe/Riga")
    assert found == datetime.fromisoformat(due)


def test_clocks_that_change_by_half_an_hour() -> None:
    """Lord Howe leaves out 2:00 to 2:30."""
    before = datetime.fromisoformat("2031-10-04T12:00+10:30")
    due = next_hour_of_day(before, 2, "Australia/Lord_Howe")
    assert due == datetime.fromisoformat("2031-10-05T02:30+11:00")


def test_a_zone_that_is_known_no_longer_is_utc() -> None:
    assert zone("Mars/Olympus") == ZoneInfo("UTC")
