"""A steady mixed load, from a process of its own: `python -m dev.cluster.load FOLDER`.

It writes each request to FOLDER/requests.jsonl (see report.py), and at SIGTERM, once all that it
wrote is acknowledged or a minute has passed, to FOLDER/written.json what must be there now. The
file FOLDER/ready appears when it begins.

A write that was not acknowledged is repeated under the same Idempotency-Key, as a program should.
"""

import asyncio
import json
import signal
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from itertools import count, cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from dev.cluster.people import People, Person, arrive
from dev.cluster.plan import PUBLIC_URL
from dev.cluster.report import Kind, Outcome, Request

# What is asked in a second, one after the other; those that write are followed by a read of what
# was written: at most 19 requests.
SECOND = (
    *("post", "page", "like", "feed", "read"),
    *("post", "follow", "front", "page", "like"),
    *("statistics", "feed", "read", "page"),
)
# Of a client, in seconds: for an answer, before a write is repeated, and in the end for all.
TIMEOUT, PAUSE, PATIENCE = 10, 3, 60
# Requests that wait for an answer; with more of them the load pauses.
MOST_AT_ONCE = 150
# Answers after which nobody knows whether a write happened: of the core and of the gateway.
UNKNOWN_CODE = "unknown_outcome"
UNKNOWN_STATUSES = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(eq=False)
class Write:
    """Something that is asked for until it is acknowledged. `mark`: of a post, its first word; the
    key of every write."""

    who: Person
    method: str
    path: str
    body: dict[str, str] | None = None
    mark: str = field(default_factory=lambda: uuid4().hex)
    tried: float = 0
    under_way: bool = False


class Load:
    def __init__(self, client: httpx.AsyncClient, people: People, file: Path) -> None:
        self._client = client
        self._people = people
        self._file = file.open("a", buffering=1)
        self._turns = count()
        self._pending: list[Write] = []
        # Ids, newest last: of posts that were acknowledged.
        self._posts: deque[str] = deque(maxlen=200)
        self.posted: dict[str, str] = {}
        self.liked: list[tuple[str, str]] = []
        # Whether it is followed, by follower and page; nothing while that isn't known.
        self.follows: dict[tuple[str, str], bool | None] = {}

    async def run(self, stop: asyncio.Event) -> None:
        tasks: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        for number, what in enumerate(cycle(SECOND)):
            await asyncio.sleep(max(0, began + number / len(SECOND) - time.monotonic()))
            if stop.is_set():
                break
            if len(tasks) < MOST_AT_ONCE:
                task = asyncio.create_task(self._turn(what))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        deadline = time.monotonic() + PATIENCE
        while self._pending and time.monotonic() < deadline:
            await asyncio.gather(*(self._try(write) for write in self._pending[:5]))
            await asyncio.sleep(1)

    def written(self) -> dict[str, Any]:
        """What must be there: `posts` by mark, `likes` and `follows` by username."""
        return {
            "posts": self.posted,
            "likes": self.liked,
            "follows": [[*pair, is_there] for pair, is_there in self.follows.items()],
            "never_acknowledged": [write.mark for write in self._pending],
        }

    async def _turn(self, what: str) -> None:
        match what:
            case "post" | "like" | "follow":
                await self._try(self._due() or self._new(what))
            case "page":
                await self._read(f"/api/v1/pages/{self._one(self._people.pages)}/posts")
            case "read":
                path = f"/api/v1/posts/{self._one(self._posts)}" if self._posts else "/api/v1/feed"
                await self._read(path)
            case "front":
                await self._read("/")
            case "feed":
                await self._ask("own", "GET", "/api/v1/feed", who=self._one(self._people.readers))
            case "statistics":
                author = self._one(self._people.authors)
                path = f"/api/v1/pages/{author.page}/statistics"
                await self._ask("statistics", "GET", path, who=author)

    async def _read(self, path: str) -> None:
        await self._ask("read", "GET", path)

    def _due(self) -> Write | None:
        """The oldest that was not acknowledged and may be repeated."""
        moment = time.monotonic() - PAUSE
        due = (each for each in self._pending if not each.under_way and each.tried < moment)
        return next(due, None)

    def _new(self, what: str) -> Write:
        write = self._post()
        if what == "like" and self._posts:
            write = Write(self._one(self._people.readers), "POST", f"/posts/{self._posts[-1]}/like")
        elif what == "follow":
            write = self._follow() or write
        self._pending.append(write)
        return write

    def _post(self) -> Write:
        author = self._one(self._people.authors)
        write = Write(author, "POST", f"/pages/{author.page}/posts")
        write.body = {"content": f"{write.mark} in the harbour"}
        return write

    def _follow(self) -> Write | None:
        """Follows, or no longer, a page on which nobody writes: so nobody gets mail by it."""
        pairs = [
            (who, page)
            for who in self._people.wanderers
            for page in self._people.quiet_pages
            if self.follows.get((who.name, page), False) is not None
        ]
        if not pairs:
            return None
        who, page = self._one(pairs)
        method = "DELETE" if self.follows.get((who.name, page)) else "POST"
        self.follows[who.name, page] = None
        return Write(who, method, f"/pages/{page}/follow")

    async def _try(self, write: Write) -> None:
        write.tried, write.under_way = time.monotonic(), True
        outcome, answer = await self._ask(
            "write", write.method, f"/api/v1{write.path}", who=write.who, write=write
        )
        write.under_way = False
        if outcome == "done":
            self._pending.remove(write)
            await self._acknowledged(write, answer)

    async def _acknowledged(self, write: Write, answer: Any) -> None:
        """Remembers what must be there, and reads it as who wrote it."""
        page, _, what = write.path.removeprefix("/pages/").partition("/")
        if what == "posts":
            self.posted[write.mark] = answer["id"]
            self._posts.append(answer["id"])
            await self._read_own_post(write.who, answer["id"])
        elif what == "follow":
            self.follows[write.who.name, page] = write.method == "POST"
        else:
            post = write.path.split("/")[2]
            self.liked.append((write.who.name, post))
            await self._ask(
                "own", "GET", f"/api/v1/posts/{post}", who=write.who, holds='"liked":true'
            )

    async def _read_own_post(self, who: Person, post: str) -> None:
        places = [f"/posts/{post}", f"/pages/{who.page}/posts", "/feed"]
        await self._ask("own", "GET", f"/api/v1{self._one(places)}", who=who, holds=post)

    async def _ask(
        self,
        kind: Kind,
        method: str,
        path: str,
        *,
        who: Person | None = None,
        write: Write | None = None,
        holds: str = "",
    ) -> tuple[Outcome, Any]:
        """`holds`: what the answer to a read must contain, or it has missed it."""
        headers = {"Authorization": f"Bearer {who.token}"} if who else {}
        if write:
            headers["Idempotency-Key"] = write.mark
        began = time.monotonic()
        try:
            response = await self._client.request(
                method, path, headers=headers, json=write.body if write else None
            )
        except httpx.HTTPError as error:
            outcome, answer, body = outcome_of_error(error, kind), type(error).__name__, None
        else:
            code = _code(response)
            outcome = outcome_of(response, kind, code, holds)
            answer = f"{response.status_code} {code}".strip()
            body = response.json() if write and outcome == "done" and response.content else None
        request = Request(began, time.monotonic(), kind, outcome, answer)
        self._file.write(json.dumps(asdict(request)) + "\n")
        return outcome, body

    def _one[T](self, things: "deque[T] | list[T]") -> T:
        return things[next(self._turns) % len(things)]


def outcome_of(response: httpx.Response, kind: Kind, code: str, holds: str) -> Outcome:
    if response.is_success:
        return "done" if holds in response.text.replace('": ', '":') else "missed"
    if holds and response.status_code == HTTPStatus.NOT_FOUND:
        return "missed"
    lost = code == UNKNOWN_CODE or response.status_code in UNKNOWN_STATUSES
    return "unknown" if kind == "write" and lost else "failed"


def outcome_of_error(error: httpx.HTTPError, kind: Kind) -> Outcome:
    """A request that never left did nothing."""
    never_left = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return "unknown" if kind == "write" and not never_left else "failed"


def _code(response: httpx.Response) -> str:
    """Of a problem document."""
    if "problem" not in response.headers.get("content-type", ""):
        return ""
    return str(response.json().get("code", ""))


async def main(folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    limits = httpx.Limits(max_connections=MOST_AT_ONCE + 20, max_keepalive_connections=20)
    async with httpx.AsyncClient(base_url=PUBLIC_URL, timeout=TIMEOUT, limits=limits) as client:
        people = await arrive(client)
        load = Load(client, people, folder / "requests.jsonl")
        (folder / "ready").touch()
        tokens = asyncio.create_task(people.stay_logged_in(client))
        await load.run(stop)
        tokens.cancel()
    written = {**load.written(), "readers": [reader.email for reader in people.readers]}
    (folder / "written.json").write_text(json.dumps(written))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
