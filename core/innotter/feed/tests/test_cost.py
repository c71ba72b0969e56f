"""The feed looks at few posts however many there are."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from innotter.accounts.models import User
from innotter.common.pagination import AFTER, BEFORE, Window, encode
from innotter.conftest import new_user, statements
from innotter.feed import selectors
from innotter.feed.selectors import FEW_PAGES, LOOKED_AT, NEAR_POSTS_A_PAGE, feed_of, new_in_feed
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post

FOLLOWED, OTHERS, POSTS_EACH = 299, 50, 200
# So many posts of everybody are looked at first.
NEAR = NEAR_POSTS_A_PAGE * (FOLLOWED - FEW_PAGES)
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
        (plan,) = plans_of_feed(reader, cursor)
        read = sum(rows_read(plan, Post._meta.db_table))
        assert 0 < read <= NEAR + FOLLOWED + 2 * 21**2


@pytest.mark.parametrize("flood", [0, NEAR // 2, OTHERS * POSTS_EACH])
def test_a_flood_of_others_posts_costs_one_look_at_each_and_no_look_at_their_pages(
    reader: User, flood: int
) -> None:
    """Of the newest posts of all, which are mostly enough, only those are looked at further that
    the reader follows. Where the flood is too high, each followed page is asked."""
    others = Post.objects.filter(page__name="other", id__gt=UUID("01900002" + "0" * 24))
    last = [*others.order_by("id").values_list("id", flat=True), UUID(int=2**128 - 1)][flood]
    (plan,) = plans_of_feed(reader, encode(AFTER, last))
    asked = FOLLOWED + 2 * 21**2 if flood > NEAR else 0
    near = min(flood, NEAR)
    assert near < sum(rows_read(plan, Post._meta.db_table)) <= near + 3 * 21 + asked
    # The planner may read the few pages there are once, to show the posts.
    assert 0 < sum(rows_read(plan, Page._meta.db_table)) <= FOLLOWED + OTHERS + 2 * 21


def test_a_private_page_costs_one_look_at_its_follow(reader: User) -> None:
    """The follows are counted, as far as many of them matter, and read once."""
    Page.objects.update(is_private=True)
    parent = Post.objects.filter(page__name="followed").earliest("id")
    Post.objects.filter(page__name="followed").update(reply_to=parent)
    newest = encode(AFTER, UUID("01900002" + "0" * 24))
    for cursor in (newest, None):
        (plan,) = plans_of_feed(reader, cursor)
        # For each post, its own page and that of its parent.
        assert sum(rows_read(plan, Follow._meta.db_table)) == 2 * FOLLOWED + 2 * 21


def test_the_feed_of_few_pages_looks_at_their_posts_alone(reader: User) -> None:
    few = Follow.objects.filter(pk__in=Follow.objects.values("pk")[:FEW_PAGES])
    Follow.objects.exclude(pk__in=few).delete()
    (plan,) = plans_of_feed(reader, None)
    # A head of each page; then each post once to find it, once to show it.
    assert sum(rows_read(plan, Post._meta.db_table)) == FEW_PAGES + 2 * 21


def test_who_reads_many_pages_has_the_newest_posts_asked_before_their_follows(
    reader: User, monkeypatch: pytest.MonkeyPatch, recompiled: None
) -> None:
    monkeypatch.setattr(selectors, "MANY_PAGES", FOLLOWED - 1)
    last_of_followed = encode(AFTER, UUID("01900002" + "0" * 24))
    (plan,) = plans_of_feed(reader, last_of_followed)
    # So many to know that there are many; then one for each post.
    assert sum(rows_read(plan, Follow._meta.db_table)) == FOLLOWED + 21
    # Once to find it, once to show it.
    assert sum(rows_read(plan, Post._meta.db_table)) == 2 * 21
    (plan,) = plans_of_feed(reader, None)
    # Others have written all of these: they are read for nothing, and all goes on as it would.
    assert sum(rows_read(plan, Follow._meta.db_table)) == 2 * FOLLOWED


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
    """More than are looked at, so the feed itself is asked, and nothing in vain before it."""
    posts = Post.objects.filter(page__name="followed").order_by("-id")
    followed = [post.id for post in posts[:31]]
    assert Post.objects.filter(id__gt=followed[0]).count() > LOOKED_AT
    with statements() as poll:
        assert new_in_feed(reader, Window(20, encode(BEFORE, followed[0]))) == 0
    assert len(poll) == 2
    assert new_in_feed(reader, Window(20, encode(BEFORE, followed[3]))) == 3
    assert new_in_feed(reader, Window(20, encode(BEFORE, followed[30]))) == 20


def plans_of_feed(reader: User, cursor: str | None) -> list[dict[str, Any]]:
    with statements() as sent:
        assert len(feed_of(reader, Window(20, cursor))) == 20
    return [plan_of(*each) for each in sent]


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
