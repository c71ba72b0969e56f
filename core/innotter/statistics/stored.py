"""What the statistics service has stored, by its own command: it alone knows its table.

The command runs where both packages are installed: a development machine, and the image of tools.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

from innotter.common.errors import Unavailable
from innotter_contracts.events import Metric

COMMAND = [sys.executable, "-m", "innotter_stats.audit"]

type Counts = Counter[Metric]
type Kind = Literal["page", "user"]


class StatisticsUnavailable(Unavailable):
    """The command is not installed here, or its table does not answer; the message says which."""


class StoredPage(NamedTuple):
    """None for a page that statistics does not know yet."""

    uuid: str | None
    name: str | None
    owner_id: str | None
    totals: Counts
    # Days on which something changed, in UTC.
    days: Mapping[date, Counts]


class StoredUser(NamedTuple):
    is_blocked: bool
    is_leaving: bool
    is_deleted: bool


class Stored(NamedTuple):
    """That something is stored of it, and it is not marked as deleted."""

    kind: Kind
    id: UUID


def stored_pages(ids: Collection[UUID]) -> dict[UUID, StoredPage]:
    """What is stored of the pages, in the same order. Raises StatisticsUnavailable."""
    answer = _ask({"page": str(id)} for id in ids)  # noqa: A001
    return {UUID(page["page"]): _page(page) for page in answer}


def stored_users(ids: Collection[UUID]) -> dict[UUID, StoredUser]:
    """What is stored of the users, in the same order. Raises StatisticsUnavailable."""
    answer = _ask({"user": str(id)} for id in ids)  # noqa: A001
    return {
        UUID(user["user"]): StoredUser(user["blocked"], user["leaving"], user["deleted"])
        for user in answer
    }


def all_stored() -> Iterator[Stored]:
    """All pages and users, for which the whole table is read. Raises StatisticsUnavailable."""
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, "all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        assert running.stderr
        for line in running.stdout:
            [(kind, found)] = json.loads(line).items()
            yield Stored(kind, UUID(found))
        error = running.stderr.read()
    _require_success(running.returncode, error)


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
    _require_success(done.returncode, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _require_success(code: int, error: str) -> None:
    if code:
        raise StatisticsUnavailable(error.strip().rpartition("\n")[-1])


def _page(answer: Mapping[str, Any]) -> StoredPage:
    return StoredPage(
        answer["uuid"],
        answer["name"],
        answer["owner_id"],
        Counter(answer["totals"]),
        {date.fromisoformat(day): Counter(counts) for day, counts in answer["days"].items()},
    )
