"""What requests cost beside what they would cost if nothing but the answer were made.

    make bench ARGS="ratio"                     a million posts
    make bench ARGS="ratio 100000"              so many
    make bench ARGS="ratio 100000 feed100,page" these requests alone

The core and bench/bare.py serve the same database, two processes of four threads each, and are
asked by turns (bench/turns.py), eight connections at a time. First their answers are compared, byte
for byte. docs/speed.md has the figures, and the bars.
"""

import json
import sys
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asked import BARS, Asked, Request, questions
from bench.turns import (
    NAME,
    Command,
    Server,
    by_turns,
    core,
    filled,
    print_heading,
    print_row,
    ratio_of,
    started,
    token_of,
)
from dev.ports import HOST

SIZE = 1_000_000
# So many requests of a kind are looked at by the comparison.
COMPARED = 20


def bare(port: int) -> list[str]:
    return [sys.executable, "-m", "bench.bare", str(port)]


def main() -> None:
    size = int(sys.argv[1]) if sys.argv[1:] else SIZE
    wanted = sys.argv[2].split(",") if sys.argv[2:] else list(BARS)
    rivals: dict[str, Command] = {"core": core, "bare": bare}
    with (
        filled(size) as url,
        started({name: (command, url) for name, command in rivals.items()}) as servers,
    ):
        asked = {name: each for name, each in questions(url).items() if name in wanted}
        for name, each in asked.items():
            compare(servers, name, each)
        print(f"{size:,} posts.", end=" ")
        print_heading(list(servers))
        for name, each in asked.items():
            costs = by_turns(servers, dict.fromkeys(servers, each))
            print_row(
                name, list(costs.values()), ratio_of(costs["core"], costs["bare"]), BARS[name]
            )


def compare(servers: dict[str, Server], name: str, asked: Asked) -> None:
    """Raises SystemExit where the bytes differ. What is new at each request is left out."""
    for request in asked.requests[:COMPARED]:
        core, bare = (answer(server, asked.who, request) for server in servers.values())
        if core != bare:
            pairs = enumerate(zip(core[1], bare[1], strict=False))
            end = next((place for place, (one, other) in pairs if one != other), 0)
            parts = [(status, body[max(0, end - 80) : end + 80]) for status, body in (core, bare)]
            raise SystemExit(f"{name}, {request}:\n  core {parts[0]}\n  bare {parts[1]}")


def answer(server: Server, who: str, request: Request) -> tuple[int, bytes]:
    method, path, body = request
    token = token_of(who, server.database_url)
    got = httpx.request(
        method,
        f"http://{HOST}:{server.port}{path}",
        content=body,
        headers={
            **({"Authorization": f"Bearer {token}"} if token else {}),
            "Host": NAME,
            "Content-Type": "application/json",
        },
    )
    content = got.content
    if method == "POST" and path.endswith("/posts"):
        made: dict[str, Any] = got.json()
        content = json.dumps({**made, "id": "", "created_at": "", "updated_at": ""}).encode()
    return got.status_code, content


if __name__ == "__main__":
    main()
