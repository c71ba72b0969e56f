"""What the limit of writes costs a request that writes, as a ratio.

    python bench/limits.py

Makes a database of its own beside the one of DATABASE_URL, changes a title, posts and logs in
through the whole core, by turns with and without limits, and prints the medians.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.db import connection

ROUNDS = 20
CALLS = 15
PASSWORD = "a quiet harbour 7"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
    django.setup()
    old_name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        measure()
    finally:
        connection.creation.destroy_test_db(old_name, verbosity=0)


def measure() -> None:
    from django.conf import settings  # noqa: PLC0415 # settings come first
    from django.test import Client, override_settings  # noqa: PLC0415

    from innotter.accounts.services import register  # noqa: PLC0415
    from innotter.accounts.tokens import mint_access_token  # noqa: PLC0415
    from innotter.pages.services import create_page  # noqa: PLC0415

    ann = register(username="ann", email="ann@example.com", password=PASSWORD)
    create_page(actor=ann, name="Harbour", uuid="harbour")
    client = Client(
        SERVER_NAME="localhost", headers={"Authorization": f"Bearer {mint_access_token(ann)}"}
    )
    titles = iter(range(10**9))

    def call(method: str, path: str, body: dict[str, Any]) -> None:
        answer = client.generic(method, f"/api/v1{path}", json.dumps(body), "application/json")
        assert answer.status_code < 300, answer.content

    requests: dict[str, Callable[[], None]] = {
        "change a title": lambda: call("PATCH", "/users/me", {"title": f"{next(titles)}"}),
        "write a post": lambda: call("POST", "/pages/harbour/posts", {"content": "Fog."}),
        "log in": lambda: call("POST", "/auth/login", {"login": "ann", "password": PASSWORD}),
    }
    none = dict.fromkeys(settings.LIMITS, (0, 1))
    many = dict.fromkeys(settings.LIMITS, (10**6, 60))
    for what, request in requests.items():
        took: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(ROUNDS):
            for which, limits in (("with", many), ("without", none)):
                with override_settings(LIMITS=limits):
                    took[which] += [
                        timed(request) for _ in range(CALLS if "log" not in what else 2)
                    ]
        with_, without = (statistics.median(took[which]) for which in ("with", "without"))
        print(f"{what:<16} {with_ / without:5.2f} times  ({1000 * (with_ - without):.2f} ms more)")


def timed(request: Callable[[], None]) -> float:
    began = time.perf_counter()
    request()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
