"""The feed looks at few posts however many there are."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from innotter.accounts.models import User
from innotter.common.compiled import statement_for
from innotter.common.pagination import AFTER, BEFORE, Window, encode
from innotter.conftest import new_user, statements
from innotter.feed import selectors
from innotter.feed.selectors import LOOKED_AT, feed_of, new_in_feed
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post

FOLLOWED, OTHERS, POSTS_EACH = 299, 50, 200
# In turn, so that each page's newest post is among the newest of all.
INSERT_POSTS = """
    INSERT INTO posts_post
        (id, created_at, updated_at, page_id, content, likes_count, replies_count)
    SELECT (%s || '-0000-7000-8000-' || lpad(to_hex(turn * 1000 + place), 12, '0'))::uuid,
           now(), now(), page.id, 'x', 0, 0
    FROM generate_series(1, %s) AS turn,
         (SELECT id, row_number() OVER () AS place FROM pages_page WHERE name = %s) AS page
"""


@pytest.fixture
def reader(db: None) -> User:
    """Follows FOLLOWED pages with POSTS_EACH posts, before and after which OTHERS wrote as many
    each that the feed must step over; in tables that the planner knows."""
    reader, writer = new_user("reader"), new_user("writer")
    followed = Page.objects.bulk_create(
        Page(owner=writer, name="followed") for _ in range(FOLLOWED)
    )
    Page.objects.bulk_create(Page(owner=writer, name="other") for _ in range(OTHERS))
    Follow.objects.bulk_create(
        Follow(page=page, user=reader, accepted_at=page.created_at) for page in followed
    )
    with connection.cursor() as cursor:
        for time, name in (("01900000", "other"), ("01900001", "followed"), ("01900002", "other")):
            cursor.execute(INSERT_POSTS, [time, POSTS_EACH, name])
        cursor.execute("ANALYZE")
    return reader


def test_the_feed_reads_few_of_many_posts(reader: User) -> None:
    """Bounded by the pages followed and the square of the limit, not by what was ever posted."""
    oldest, newest = UUID("01900000" + "0" * 24), UUID("01900003" + "0" * 24)
    middle = Post.objects.filter(page__name="followed").order_by("id")[30_000].id
    cursors = [None, *(encode(AFTER, where) for where in (newest, middle))]
    cursors += [encode(BEFORE, where) for where in (oldest, middle)]
    for cursor in cursors:
        with statements() as queries:
            assert len(feed_of(reader, Window(20, cursor))) == 20
        plans = [plan_of(*query) for query in queries]
        read = sum(sum(rows_read(plan, Post._meta.db_table)) for plan in plans)
        assert 0 < read <= FOLLOWED + 2 * 21**2


def test_of_many_follows_the_newest_posts_of_all_are_mostly_enough(
    reader: User, monkeypatch: pytest.MonkeyPatch, recompiled: None
) -> None:
    """Where they are not, they cost themselves; where few pages wrote them, nothing."""
    monkeypatch.setattr(selectors, "MANY_FOLLOWS", FOLLOWED)
    newest, middle = UUID("01900003" + "0" * 24), UUID("01900002" + "0" * 24)
    heads = FOLLOWED + 2 * 21**2
    for position, few_pages, most in [
        (middle, 10, 100 + 3 * 21),
        (newest, 10, 100 + 2000 + heads),
        (newest, OTHERS + 1, 100 + heads),
    ]:
        monkeypatch.setattr(selectors, "FEW_PAGES", few_pages)
        statement_for.cache_clear()
        with statements() as sent:
            assert len(feed_of(reader, Window(20, encode(AFTER, position)))) == 20
        read = sum(sum(rows_read(plan_of(*each), Post._meta.db_table)) for each in sent)
        assert 0 < read <= most


def test_asking_for_new_posts_costs_less_than_a_tenth_of_the_feed(reader: User) -> None:
    """Nearly always nothing is new: then one statement reads one index and finds no row."""
    newest = Post.objects.order_by("-id").values_list("id", flat=True)
    with statements() as feed:
        feed_of(reader, Window(20))
    for position, rows in ((newest[0], 0), (newest[5], 5)):
        with statements() as poll:
            assert new_in_feed(reader, Window(20, encode(BEFORE, position))) == 0
        assert len(poll) == (2 if rows else 1)
        plans = [plan_of(*query) for query in poll]
        assert sum(sum(rows_read(plan, Post._meta.db_table)) for plan in plans) == rows
        ((whole,), parts) = [plan_of(*query) for query in feed], plans
        assert 10 * sum(map(blocks_read, parts)) < blocks_read(whole)


def test_many_new_posts_of_others_hide_none(reader: User) -> None:
    """More than are looked at, so the feed itself is asked."""
    followed = Post.objects.filter(page__name="followed").order_by("-id")
    assert Post.objects.filter(id__gt=followed[0].id).count() > LOOKED_AT
    assert new_in_feed(reader, Window(20, encode(BEFORE, followed[0].id))) == 0
    assert new_in_feed(reader, Window(20, encode(BEFORE, followed[3].id))) == 3
    assert new_in_feed(reader, Window(20, encode(BEFORE, followed[30].id))) == 20


def blocks_read(plan: dict[str, Any]) -> int:
    """Of PostgreSQL's memory and of the disk."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def plan_of(sql: str, params: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, params)
        ((document,),) = cursor.fetchall()
    plan: dict[str, Any] = (json.loads(document) if isinstance(document, str) else document)[0]
    return plan["Plan"]  # type: ignore[no-any-return]


def rows_read(node: dict[str, Any], table: str) -> Iterator[float]:
    """The rows of the table that each step looked at, those that it threw away included."""
    if node.get("Relation Name") == table:
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield seen * node["Actual Loops"]
    for inner in node.get("Plans", []):
        yield from rows_read(inner, table)
