from datetime import UTC, datetime, timedelta

import pytest
import uuid6

from innotter_contracts.ids import first_id_of, moment_of, new_id


def test_the_first_id_of_a_moment_parts_earlier_ids_from_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Ids never go back: without this they stay ahead after a test that moved the clock.
    monkeypatch.setattr(uuid6, "_last_v7_timestamp", None)
    now = datetime.now(UTC)
    assert first_id_of(now) < new_id() < first_id_of(now + timedelta(seconds=10))
    assert new_id() > first_id_of(now - timedelta(seconds=10))


def test_an_id_tells_when_it_was_made() -> None:
    moment = datetime(2026, 11, 25, 12, 30, 15, 125_000, UTC)
    assert moment_of(first_id_of(moment)) == moment
