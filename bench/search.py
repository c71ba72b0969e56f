"""What searching costs among 200,000 pages and 200,000 users.

    make bench ARGS=search

Makes a database of its own beside the one of DATABASE_URL, fills it, asks the questions
below through the API, prints what each took, and drops the database. It takes a minute.
"""

import os
import random
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import django
from django.db import connection

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.names import QUESTIONS, WORDS, names_of, words_of

SIZE = 200_000
TIMES = 9
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
    sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
    django.setup()
    old_name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        fill(random.Random(1))  # noqa: S311 # data to look at, no secret
        measure()
    finally:
        connection.creation.destroy_test_db(old_name, verbosity=0)


def fill(rng: random.Random) -> None:
    users, pages = [_id(0, n) for n in range(SIZE)], [_id(1, n) for n in range(SIZE)]
    tags = [_id(2, n) for n in range(WORDS)]
    words = words_of(rng)
    names = names_of(rng, words)
    copy("accounts_user", users, lambda n: {
        "password": "", "username": f"person{n}", "email": f"person{n}@example.com",
        "title": next(names), "role": "user", "is_blocked": n % 100 == 0,
        "email_notifications": "off", "language": "en",
    })  # fmt: skip
    copy("pages_page", pages, lambda n: {
        "owner_id": rng.choice(users), "uuid": f"{rng.getrandbits(64):x}", "name": next(names),
        "description": "", "is_private": n % 5 == 0, "blocked_for_good": n % 100 == 1,
        "followers_count": 0, "posts_count": 0,
    })  # fmt: skip
    copy("pages_tag", tags, lambda n: {"name": words[n]})
    with connection.cursor() as cursor:
        with cursor.copy("COPY pages_page_tags (page_id, tag_id) FROM STDIN") as rows:
            for page in pages:
                for tag in {_often_first(rng, tags) for _ in range(2)}:
                    rows.write_row((page, tag))
        cursor.execute("VACUUM ANALYZE")


def copy(table: str, ids: list[UUID], row_of: Any) -> None:
    first = row_of(0)
    columns = ", ".join(["id", "created_at", "updated_at", *first])
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as rows,
    ):
        rows.write_row((ids[0], NOW, NOW, *first.values()))
        for number, row_id in enumerate(ids[1:], 1):
            rows.write_row((row_id, NOW, NOW, *row_of(number).values()))


def measure() -> None:
    from django.test import Client  # noqa: PLC0415 # settings come first

    client = Client(SERVER_NAME="localhost")
    print(f"{'q':<20} {'ms, median':>10} {'worst':>6}  first")
    for question in QUESTIONS:
        times = []
        for _ in range(TIMES):
            started = time.perf_counter()
            answer = client.get("/api/v1/search", {"q": question})
            times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.content
        found = [row.get("page", row.get("user")) for row in answer.json()["results"]]
        first = ", ".join(row.get("name", row.get("title")) for row in found[:3])
        print(f"{question:<20} {statistics.median(times):>10.1f} {max(times):>6.1f}  {first}")


def _often_first(rng: random.Random, tags: list[UUID]) -> UUID:
    return tags[int(len(tags) * rng.random() ** 2)]


def _id(kind: int, number: int) -> UUID:
    return UUID(int=(0x0190_0000_0000_7000_8000 << 48) + (kind << 32) + number)


if __name__ == "__main__":
    main()
