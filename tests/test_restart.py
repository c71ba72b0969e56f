"""Each process is replaced under load, as a new version does it: nothing is lost, nothing doubled.

What the gateway does for its callers is done here by the caller: it opens a connection for each
request, and one that is refused is tried again. Every accepted request has to be answered.
"""

import itertools
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from dev.stack import Stack
from tests.people import Person, eventually, totals

pytestmark = pytest.mark.xdist_group("stack")

# Seconds between two requests of one caller.
PACE = 0.1
# Answers that are waited for between one replacement and the next.
SOME = 3


# Each process starts twice, on a machine that may be busy.
@pytest.mark.timeout(600)
def test_every_process_can_be_replaced_under_load(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("followers") == 1)
    posts = f"{stack.core_url}/api/v1/pages/{uuid}/posts"
    statistics = f"{stack.stats_url}/api/v1/pages/{uuid}/statistics"

    numbers = itertools.count()

    def write() -> Any:
        content = f"Post {next(numbers)}"
        return patiently(ann, "POST", posts, json={"content": content})["content"]

    def read() -> Any:
        return patiently(ann, "GET", statistics)["totals"]

    with under_load(write) as written, under_load(read) as seen:

        def goes_on() -> None:
            for answers in (written, seen):
                count = len(answers)
                eventually(lambda: len(answers), lambda now: now >= count + SOME)  # noqa: B023

        goes_on()
        reload_core(stack)
        goes_on()
        for name in ("core", "stats", "relay", "worker", "consumer"):
            # SIGTERM: so uvicorn ends when it has done everything.
            assert stack.replace(name) in (0, -signal.SIGTERM), f"{name} had to be killed"
            goes_on()

    assert len(set(written)) == len(written)
    assert ann.get(f"/pages/{uuid}")["posts_count"] == len(written)
    eventually(lambda: totals(ann, uuid), lambda counts: counts["posts"] == len(written))
    # What waits together leaves as one mail.
    mailed = eventually(
        lambda: posts_in(bob.inbox()), lambda mailed: len(mailed) >= len(written), seconds=60
    )
    assert sorted(mailed) == sorted(written)


def reload_core(stack: Stack) -> None:
    """New processes in the place of the old ones, one by one, at the port that stays open."""
    process = stack.processes.by_name["core"]
    old = workers_of(process.pid)
    process.send(signal.SIGHUP)
    eventually(lambda: old & workers_of(process.pid), lambda left: not left, seconds=60)


def workers_of(master: int) -> set[psutil.Process]:
    return set(psutil.Process(master).children())


def patiently(person: Person, method: str, url: str, **options: Any) -> Any:
    """The answer, which has to be a good one; a refused connection is tried until it is not."""
    headers = {"Authorization": f"Bearer {person.token}"}
    while True:
        try:
            answer = httpx.request(method, url, headers=headers, timeout=30, **options)
        except httpx.ConnectError:
            threading.Event().wait(PACE)
            continue
        answer.raise_for_status()
        return answer.json()


def posts_in(mails: list[dict[str, Any]]) -> list[str]:
    return re.findall(r"^Post \d+$", "\n".join(mail["BodyText"] for mail in mails), re.MULTILINE)


@contextmanager
def under_load(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """Calls again and again in a thread of its own, until the block ends; what the calls gave.

    What one of them raises is raised at the end.
    """
    over = threading.Event()
    answers: list[Any] = []

    def call_until_over() -> None:
        while not over.wait(PACE):
            answers.append(call())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call_until_over)
        try:
            yield answers
        finally:
            over.set()
    running.result()
