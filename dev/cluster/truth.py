"""What must be there when all has come to rest, compared with what is."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from dev.inbox import messages_url
from dev.topology import waiting
from innotter_contracts.events import DELAYS, QUEUES

# Seconds until all that is owed has left: a task that failed may wait for a minute. And how often
# nothing must be owed, a second apart.
QUIET_SECONDS, LOOKS = 180, 3
OWED = """
    SELECT (SELECT count(*) FROM events_outboxevent WHERE published_at IS NULL)
         + (SELECT count(*) FROM mail_delivery WHERE state IN ('waiting', 'sending'))
"""
POSTS = "SELECT split_part(content, ' ', 1), id::text FROM posts_post"
LIKES = """
    SELECT username, post_id::text FROM posts_like AS thing
    JOIN accounts_user AS person ON person.id = thing.user_id
"""
FOLLOWS = """
    SELECT username, page.uuid FROM pages_follow AS thing
    JOIN accounts_user AS person ON person.id = thing.user_id
    JOIN pages_page AS page ON page.id = thing.page_id
"""
# SES may have sent them or not; they are not sent again.
IN_DOUBT = """
    SELECT split_part(content, ' ', 1), person.email FROM mail_delivery AS thing
    JOIN posts_post AS post ON post.id = thing.post_id
    JOIN accounts_user AS person ON person.id = thing.recipient_id
    WHERE thing.state IN ('sending', 'unknown')
"""

type Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Found:
    """What the database holds: `posts` as (first word, id), the others by username or address."""

    posts: Sequence[tuple[str, str]]
    likes: Pairs
    follows: Pairs
    in_doubt: Pairs


@dataclass(frozen=True)
class Truth:
    """`lost`, `doubled`: of writes and of mails, a line for each. `in_doubt`: mails whose outcome
    is unknown."""

    acknowledged: int
    lost: list[str]
    doubled: list[str]
    mails: int
    mails_lost: list[str]
    mails_doubled: list[str]
    in_doubt: int


def compare(written: Mapping[str, Any], found: Found, mails: Counter[tuple[str, str]]) -> Truth:
    """`written`: of the load; `mails`: how many, by first word of the post and address."""
    rows = Counter(mark for mark, _ in found.posts)
    ids = {post for _, post in found.posts}
    lost = [f"post {mark}" for mark, post in written["posts"].items() if post not in ids]
    lost += [
        f"like of {post} by {who}"
        for who, post in written["likes"]
        if (who, post) not in found.likes
    ]
    lost += [
        f"{who} {'follows' if there else 'no longer follows'} {page}"
        for who, page, there in written["follows"]
        if there is not None and there != ((who, page) in found.follows)
    ]
    owed = [(mark, reader) for mark in rows for reader in written["readers"]]
    missing = [each for each in owed if not mails[each]]
    return Truth(
        acknowledged=sum(len(written[kind]) for kind in ("posts", "likes", "follows")),
        lost=lost,
        doubled=[f"post {mark}" for mark, times in rows.items() if times > 1],
        mails=len(owed),
        mails_lost=[" to ".join(each) for each in missing if each not in found.in_doubt],
        mails_doubled=[" to ".join(each) for each in owed if mails[each] > 1],
        in_doubt=sum(each in found.in_doubt for each in missing),
    )


def wait_until_quiet(database_url: str, amqp_url: str) -> int:
    """How much is still owed when the time is over."""
    deadline, quiet = time.monotonic() + QUIET_SECONDS, 0
    while True:
        owed = _owed(database_url, amqp_url)
        # What a worker has in hand is in no queue, and not yet in a row.
        quiet = 0 if owed else quiet + 1
        if quiet == LOOKS or time.monotonic() > deadline:
            return owed
        time.sleep(1)


def _owed(database_url: str, amqp_url: str) -> int:
    """Events that nobody has published, messages that nobody has read, mails that have not left."""
    with psycopg.connect(database_url) as database:
        [rows] = database.execute(OWED).fetchone() or [0]
    return int(rows) + sum(waiting(amqp_url, queue) for queue in (*QUEUES, *DELAYS))


def look(database_url: str) -> Found:
    with psycopg.connect(database_url) as database:

        def pairs(query: str) -> list[tuple[str, str]]:
            return database.execute(query.encode()).fetchall()

        return Found(pairs(POSTS), set(pairs(LIKES)), set(pairs(FOLLOWS)), set(pairs(IN_DOUBT)))


def mails_in(inbox: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """By first word of the post, which is the one that has 32 characters, and address."""
    return Counter(
        (word, address)
        for mail in inbox
        for address in mail["To"]
        for word in mail["BodyText"].split()
        if len(word) == 32 and word.isalnum()
    )


def inbox(aws_endpoint_url: str) -> list[dict[str, Any]]:
    accounts = httpx.get(messages_url(aws_endpoint_url), timeout=60).json()["messages"]
    return [mail for mails in accounts.values() for mail in mails]


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "written.json").read_text())
    return found
