"""A plugin of pytest: a failure shows the end of what was printed and logged, not all of it.

One red test in the core can log two thousand requests. `-vv` shows everything.
"""

from collections.abc import Generator

import pytest

# Of each section of a report.
LINES = 20
VERBOSE = 2


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.get_verbosity() < VERBOSE:
        report.sections = [(name, shortened(text)) for name, text in report.sections]
    return report


def shortened(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= LINES:
        return text
    left_out = f"({len(lines) - LINES:,} lines before these; -vv shows them)"
    return "\n".join([left_out, *lines[-LINES:]])
