"""Assertions of tests that say in a line what is missing."""

import inspect
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dev.paths import ROOT


def assert_table(name: str, file: str, lines: Iterable[str], things: Iterable[str]) -> None:
    """The table of that name in that file has a line for each of the things, and no others."""
    where = f"{name} ({Path(file).relative_to(ROOT)})"
    there, wanted = set(lines), set(things)
    missing = [f"no line in {where} for: {thing}" for thing in sorted(wanted - there)]
    gone = [f"{where} has a line for what is not there: {line}" for line in sorted(there - wanted)]
    assert_none(missing + gone)


def assert_none(wrong: Iterable[str]) -> None:
    """A line for each thing that is wrong, and nothing else."""
    if lines := list(wrong):
        pytest.fail("\n".join(lines), pytrace=False)


def wait_until(condition: Callable[[], object], *, seconds: float = 60) -> None:
    """Fails with the condition's own source when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {source(condition)}"
        time.sleep(0.02)


def source(condition: Callable[..., object]) -> str:
    """As it is written; of a lambda, the statement that it stands in."""
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)
