from itertools import islice

import pytest

from innotter_contracts.backoff import delay_after, delays


def test_each_delay_doubles_up_to_the_longest() -> None:
    for delay, full in zip(delays(first=1, longest=6), (1, 2, 4, 6, 6), strict=False):
        assert full / 2 <= delay <= full


def test_those_who_collided_part() -> None:
    assert len({delay_after(3, first=1, longest=60) for _ in range(20)}) > 1


@pytest.mark.parametrize("attempts", [65, 2_000, 10**9])
def test_there_is_no_last_attempt(attempts: int) -> None:
    assert 30 <= delay_after(attempts, first=0.01, longest=60) <= 60


def test_delays_have_no_end() -> None:
    assert len(list(islice(delays(first=0.01, longest=1), 1_000))) == 1_000
