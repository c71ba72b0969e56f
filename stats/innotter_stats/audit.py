"""What is stored, for those who compare it with the core's database.

`python -m innotter_stats.audit` reads questions from standard input, a JSON object a line, and
writes as many answers to standard output, in the same order:

    {"page": "<id>"}    {"page": "<id>", "uuid": …, "name": …, "owner_id": …, "totals": {…},
                         "days": {"2026-11-20": {…}, …}}; null for what no event has named
    {"user": "<id>"}    {"user": "<id>", "blocked": false, "leaving": false, "deleted": false}
    {"event": "<id>"}   {"event": "<id>", "counted": true}

`python -m innotter_stats.audit all` writes a line for every page and user that something is stored
of, {"page": "<id>"} or {"user": "<id>"}, but not for those that are marked as deleted. It reads the
whole table, half a read unit for each 4 KB.

A command and not an endpoint: its operator holds the table's credentials already, so that
there is nothing for strangers to reach. It only reads. Ends with 1, and a line that says why, when
the table does not answer or a question is none.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from innotter_stats import settings
from innotter_stats.store import Store, StoreUnavailable, create_client

# Questions to the table at a time.
THREADS = 8


def answers(store: Store, questions: Iterable[str]) -> Iterator[str]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(lambda question: json.dumps(_answer(store, question)), questions)


def _answer(store: Store, question: str) -> dict[str, Any]:
    match json.loads(question):
        case {"event": str(event_id)}:
            return {"event": event_id, "counted": store.is_counted(UUID(event_id))}
        case {"user": str(user_id)}:
            user = store.stored_user(UUID(user_id))
            return {
                "user": user_id,
                "blocked": user.is_blocked,
                "leaving": user.is_leaving,
                "deleted": user.is_deleted,
            }
        case {"page": str(page_id)}:
            page = store.stored_page(UUID(page_id))
            return {
                "page": page_id,
                "uuid": page.uuid,
                "name": page.name,
                "owner_id": str(page.owner_id) if page.owner_id else None,
                "totals": dict(page.totals),
                "days": {day.isoformat(): dict(counts) for day, counts in page.days.items()},
            }
        case _:
            raise ValueError("a question names a page, a user or an event")


def everything(store: Store) -> Iterator[str]:
    return (json.dumps({kind: str(found)}) for kind, found in store.all_stored())


def main() -> None:
    words = sys.argv[1:]
    if words not in ([], ["all"]):
        raise SystemExit("python -m innotter_stats.audit [all]")
    config = settings.load()
    try:
        store = Store(create_client(), config.statistics_table)
        lines = everything(store) if words else answers(store, sys.stdin)
        for answer in lines:
            sys.stdout.write(f"{answer}\n")
    except StoreUnavailable as error:
        raise SystemExit(f"The table does not answer: {error}") from None
    except ValueError as error:
        raise SystemExit(f"Not a question: {error}") from None


if __name__ == "__main__":
    main()
