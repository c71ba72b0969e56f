"""What events count is said for each type, once."""

from pathlib import Path

import pytest

from innotter_contracts.counting import deltas
from innotter_contracts.events import METRICS, parse_event
from innotter_contracts.tests.samples import SAMPLES


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_event_says_what_it_counts(path: Path) -> None:
    """Every type has a sample; one that no branch names would fail the request that records it."""
    assert all(delta.amount for delta in deltas(parse_event(path.read_bytes())))


def test_every_metric_is_given_by_an_event_and_taken_back_by_another() -> None:
    found = [delta for path in SAMPLES for delta in deltas(parse_event(path.read_bytes()))]
    for sign in (1, -1):
        counted = {metric for _, metric, amount in found if amount * sign > 0}
        assert counted == set(METRICS)
