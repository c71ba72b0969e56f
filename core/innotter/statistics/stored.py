"""What the statistics service has stored, by its own command: it alone knows its table.

The command runs where both packages are installed: a development machine, and the image of tools.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from innotter_contracts.events import Metric

COMMAND = [sys.executable, "-m", "innotter_stats.audit"]

type Counts = Counter[Metric]


class StatisticsUnavailable(Exception):
    """The command is not installed here, or its table does not answer; the message says which."""


class StoredPage(NamedTuple):
    """None for a page that statistics does not know yet."""

    uuid: str | None
    name: str | None
    owner_id: str | None
    totals: Counts
    # Days on which something changed, in UTC.
    days: Mapping[date, Counts]


def stored_pages(ids: Collection[UUID]) -> dict[UUID, StoredPage]:
    """What is stored of the pages, in the same order. Raises StatisticsUnavailable."""
    answer = _ask({"page": str(id)} for id in ids)  # noqa: A001
    return {UUID(page["page"]): _page(page) for page in answer}


def is_counted(event_id: UUID) -> bool:
    """Raises StatisticsUnavailable."""
    [answer] = _ask([{"event": str(event_id)}])
    return bool(answer["counted"])


def _ask(questions: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """An answer a question."""
    done = subprocess.run(  # noqa: S603
        COMMAND,
        input="".join(f"{json.dumps(question)}\n" for question in questions),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StatisticsUnavailable(done.stderr.strip().rpartition("\n")[-1])
    return [json.loads(line) for line in done.stdout.splitlines()]


def _page(answer: Mapping[str, Any]) -> StoredPage:
    return StoredPage(
        answer["uuid"],
        answer["name"],
        answer["owner_id"],
        Counter(answer["totals"]),
        {date.fromisoformat(day): Counter(counts) for day, counts in answer["days"].items()},
    )
