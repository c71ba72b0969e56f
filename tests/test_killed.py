"""Killed at the worst moment, and yet every effect arrives, once."""

import re
from functools import partial
from typing import Any

import pytest

from dev.stack import Stack
from innotter_contracts.events import MAIL_QUEUE, STATS_QUEUE
from tests.people import Person, eventually, totals

# One stack, one worker of pytest.
pytestmark = pytest.mark.xdist_group("stack")

EFFECTS = ("relay", "worker", "consumer")


def test_effects_survive_the_death_of_everything_between(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    readers = [Person.arrives(stack, f"reader{n}", confirmed=True) for n in range(3)]
    uuid = ann.new_page()
    for reader in readers:
        reader.post(f"/pages/{uuid}/follow")
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("followers") == len(readers))

    # The post is made while nobody is there to carry it.
    for name in EFFECTS:
        stack.kill(name)
    post = ann.post(f"/pages/{uuid}/posts", content="Is anybody there?", expect=201)
    readers[0].post(f"/posts/{post['id']}/like")
    assert readers[0].get("/feed")["results"][0]["id"] == post["id"]

    # The relay brings it to RabbitMQ and dies again; the messages wait in their queues.
    stack.start("relay")
    for queue, owed in ((MAIL_QUEUE, 1), (STATS_QUEUE, 2)):
        # Or more: the clock sends its own tasks to the workers.
        eventually(partial(stack.waiting, queue), owed.__le__)
    stack.kill("relay")

    for name in EFFECTS:
        stack.start(name)
    for reader in readers:
        assert len(eventually(reader.inbox, len)) == 1
    counts = eventually(lambda: totals(ann, uuid), lambda counts: counts["likes"] == 1)
    assert (counts["posts"], counts["followers"]) == (1, len(readers))

    # What might still come a second time would have come before this one.
    ann.post(f"/pages/{uuid}/posts", content="Good.", expect=201)
    for reader in readers:
        eventually(reader.inbox, lambda mails: len(mails) == 2)
    counts = eventually(lambda: totals(ann, uuid), lambda counts: counts["posts"] == 2)
    assert (counts["likes"], counts["followers"]) == (1, len(readers))


def test_a_burst_survives_kills_in_its_middle(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")

    posts = 60
    for n in range(posts):
        ann.post(f"/pages/{uuid}/posts", content=f"Post {n}", expect=201)
        if n % 20 == 10:
            for name in ("relay", "consumer"):
                stack.kill(name)
                stack.start(name)

    eventually(
        lambda: totals(ann, uuid), lambda counts: counts.get("posts", 0) >= posts, seconds=60
    )
    # What waits together leaves as one mail.
    mailed = eventually(
        lambda: posts_in(bob.inbox()), lambda mailed: len(mailed) >= posts, seconds=60
    )
    assert totals(ann, uuid)["posts"] == posts
    # The worker lives, so that no outcome is unknown: each was sent once.
    assert sorted(mailed) == sorted(f"Post {n}" for n in range(posts))


def posts_in(mails: list[dict[str, Any]]) -> list[str]:
    return re.findall(r"^Post \d+$", "\n".join(mail["BodyText"] for mail in mails), re.MULTILINE)


def test_who_is_asked_to_stop_finishes_what_it_has_begun(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")

    posts = [f"Post {n}." for n in range(20)]
    for n, words in enumerate(posts):
        ann.post(f"/pages/{uuid}/posts", content=words, expect=201)
        if n == len(posts) // 2:
            for name in EFFECTS:
                process = stack.processes.by_name[name]
                process.stop()
                assert process.exit_code == 0, f"{name} did not end by itself"
                stack.start(name)

    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("posts") == len(posts))
    # No outcome is unknown: the run that asked SES has recorded the answer.
    for words in posts:
        found = eventually(lambda words=words: [m for m in bob.inbox() if words in str(m)], len)  # type: ignore[misc]
        assert len(found) == 1
