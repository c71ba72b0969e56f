"""One stack for all tests here: seven processes in one worker of pytest."""

import logging
from collections.abc import Generator, Iterator

import pytest

from dev.stack import Stack
from dev.testing import stack_for_tests

# Tests that wait ask often.
logging.getLogger("httpx").setLevel(logging.WARNING)

# Lines of each process's log that a failure shows.
TAIL = 30


@pytest.fixture(scope="session")
def stack(all_services: None) -> Iterator[Stack]:
    with stack_for_tests() as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with what the processes said last."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        for name in stack.processes.by_name:
            lines = stack.log(name).splitlines()[-TAIL:]
            report.sections.append((f"log of {name}", "\n".join(lines)))
    return report
