"""How long to wait before another attempt, for everybody who tries again."""

import random
from collections.abc import Iterator
from itertools import count


def delay_after(attempts: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many failed attempts: doubling from `first` up to `longest`.

    Shortened by up to a half at random, so that those who collided part.
    """
    # Beyond some doublings it is `longest` anyway; no float holds 2 to the 2,000.
    doubled: float = first * 2 ** min(max(attempts - 1, 0), 64)
    return min(doubled, longest) * random.uniform(0.5, 1)  # noqa: S311


def delays(*, first: float, longest: float) -> Iterator[float]:
    """Seconds to wait before each further attempt, without end."""
    return (delay_after(attempts, first=first, longest=longest) for attempts in count(1))
