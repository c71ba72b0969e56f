"""What a loss cost, computed from what the load has written down of each request."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

# `unknown`: whether it happened can't be told from the answer. `missed`: a read that was answered
# without what its reader had just written.
type Outcome = Literal["done", "failed", "unknown", "missed"]
type Kind = Literal["write", "read", "own", "statistics"]

# Targets: seconds, seconds, share.
WRITES_BACK, READS_BACK, FAILED = 40.0, 3.0, 0.01


@dataclass(frozen=True)
class Request:
    """`began` and `ended`: of one clock of the machine. Kinds: `read` of strangers, `own` of who
    is signed in. `answer`: a status and perhaps a code, or what went wrong."""

    began: float
    ended: float
    kind: Kind
    outcome: Outcome
    answer: str


@dataclass(frozen=True)
class Window:
    """From a loss to the next."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Figures:
    """`no_…`: the longest time, in seconds, in which none of that kind was answered. Shares are of
    all requests of the window, and of those that began when writes were not away."""

    what: str
    requests: int
    no_writes: float
    no_reads: float
    no_own: float
    no_statistics: float
    failed: float
    failed_elsewhere: float
    unknown: int
    missed: int
    answers: dict[str, int]


def figures(window: Window, requests: Sequence[Request]) -> Figures:
    inside = [each for each in requests if window.began <= each.began < window.ended]
    outage = longest_gap(window, requests, "write")
    elsewhere = [each for each in inside if not outage[0] <= each.ended <= outage[1] + 1]
    bad = [each for each in inside if each.outcome in ("failed", "unknown")]
    return Figures(
        what=window.what,
        requests=len(inside),
        no_writes=_length(outage),
        no_reads=_length(longest_gap(window, requests, "read")),
        no_own=_length(longest_gap(window, requests, "own")),
        no_statistics=_length(longest_gap(window, requests, "statistics")),
        failed=_share(inside),
        failed_elsewhere=_share(elsewhere),
        unknown=sum(each.outcome == "unknown" for each in inside),
        missed=sum(each.outcome == "missed" for each in inside),
        answers=dict(Counter(each.answer for each in bad).most_common()),
    )


def longest_gap(window: Window, requests: Iterable[Request], kind: Kind) -> tuple[float, float]:
    """The longest time within the window between two requests of a kind that were answered."""
    ends = sorted(
        each.ended
        for each in requests
        if each.kind == kind
        and each.outcome in ("done", "missed")
        and window.began < each.ended < window.ended
    )
    moments = [window.began, *ends, window.ended]
    return max(pairwise(moments), key=_length)


def read(file: Path) -> list[Request]:
    """What the load has written, a JSON object a line; the last may be cut off."""
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(Request(**json.loads(line)))
        except ValueError:
            continue
    return found


def table(rows: Sequence[Figures]) -> str:
    """In Markdown."""
    head = (
        "| lost | no writes | no reads | no reads signed in | no statistics | failed "
        "| failed outside | unknown | missed |"
    )
    lines = [head, "|" + " --- |" * (head.count("|") - 1)]
    lines += [
        f"| {row.what} | {row.no_writes:.1f} s | {row.no_reads:.1f} s | {row.no_own:.1f} s "
        f"| {row.no_statistics:.1f} s | {row.failed:.1%} of {row.requests} "
        f"| {row.failed_elsewhere:.2%} | {row.unknown} | {row.missed} |"
        for row in rows
    ]
    return "\n".join(lines)


def broken_targets(rows: Iterable[Figures]) -> list[str]:
    """A line for each that was not kept."""
    lines = []
    for row in rows:
        if row.no_writes > WRITES_BACK:
            lines.append(f"{row.what}: no writes for {row.no_writes:.1f} s")
        if row.no_reads > READS_BACK:
            lines.append(f"{row.what}: no reads for {row.no_reads:.1f} s")
        if row.failed_elsewhere >= FAILED:
            lines.append(f"{row.what}: {row.failed_elsewhere:.1%} failed outside of the failover")
        if row.missed:
            lines.append(f"{row.what}: {row.missed} reads missed what their reader wrote")
    return lines


def _share(requests: Sequence[Request]) -> float:
    bad = sum(each.outcome in ("failed", "unknown") for each in requests)
    return bad / len(requests) if requests else 0.0


def _length(gap: tuple[float, float]) -> float:
    return gap[1] - gap[0]
