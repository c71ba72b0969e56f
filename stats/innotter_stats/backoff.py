import random
from collections.abc import Iterator


def delays(*, first: float, longest: float) -> Iterator[float]:
    """Seconds to wait before each further attempt, for ever: doubling, up to `longest`.

    Each is shortened by up to a half at random, so that those who collided part.
    """
    delay = first
    while True:
        yield delay * random.uniform(0.5, 1)  # noqa: S311
        delay = min(2 * delay, longest)
