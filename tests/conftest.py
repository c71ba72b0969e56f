"""One house for all tests here: seven processes on parts of their own, in one worker of pytest."""

import logging
from collections.abc import Generator, Iterator

import pytest

from dev.house import House
from dev.testing import house_for_tests

# Tests that wait ask often.
logging.getLogger("httpx").setLevel(logging.WARNING)

# Lines of each process's log that a failure shows.
TAIL = 30


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    with house_for_tests() as house:
        yield house


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with what the processes said last."""
    report = yield
    house = getattr(item, "funcargs", {}).get("house")
    if report.failed and isinstance(house, House):
        for name in house.processes.by_name:
            lines = house.log(name).splitlines()[-TAIL:]
            report.sections.append((f"log of {name}", "\n".join(lines)))
    return report
