"""Writes that are one statement each: the row, the counts and the event of it, or nothing.

A service calls them with the row locked on which it is counted. What is there already decides in
the statement itself, which sees what was committed while the service waited for the lock.
"""

from typing import Any, NamedTuple
from uuid import UUID

from innotter.common.compiled import fetched
from innotter.common.database import Insertion
from innotter.events.services import RECORD, outbox
from innotter.posts.models import Like, Post
from innotter_contracts.events import PostCreated, PostLiked, PostUnliked

# The join is for the order: all locks of rows come before those that record_events() takes.
CREATE = """
    WITH made AS ({insert}), counted AS (
        UPDATE posts_post SET replies_count = replies_count + 1 WHERE id = %s RETURNING id
    ), counted_on_page AS (
        UPDATE pages_page SET posts_count = posts_count + 1 WHERE id = %s RETURNING id
    )
    SELECT {record} FROM counted_on_page LEFT JOIN counted ON true
"""
LIKE = """
    WITH liked AS (
        {insert} ON CONFLICT (post_id, user_id, page_id) DO NOTHING RETURNING post_id
    ), counted AS (
        UPDATE posts_post SET likes_count = likes_count + 1 FROM liked
        WHERE id = liked.post_id RETURNING likes_count
    )
    SELECT likes_count, {record} FROM counted
"""
UNLIKE = """
    WITH unliked AS (
        DELETE FROM posts_like WHERE post_id = %s AND user_id = %s AND page_id = %s
        RETURNING post_id
    ), counted AS (
        UPDATE posts_post SET likes_count = likes_count - 1 FROM unliked
        WHERE id = unliked.post_id RETURNING likes_count
    )
    SELECT likes_count, {record} FROM counted
"""
# Locks the row, be it new or old; waits for who has just written it.
CLAIM = """
    {insert} ON CONFLICT (user_id, key) DO UPDATE SET key = excluded.key
    RETURNING fingerprint, post_id
"""


class Claim(NamedTuple):
    fingerprint: str
    post_id: UUID


def create(post: Post, new: Insertion, event: PostCreated) -> None:
    """Counted on its page, and as a reply on its parent if that is still there."""
    values = [*new.values, post.reply_to_id, post.page_id, *outbox(event)]
    fetched(CREATE.format(insert=new.sql, record=RECORD), values)


def like(new: Insertion, event: PostLiked) -> int | None:
    """How many likes the post has now; None where the like was there already."""
    return _count(
        fetched(LIKE.format(insert=new.sql, record=RECORD), [*new.values, *outbox(event)])
    )


def unlike(like: Like, event: PostUnliked) -> int | None:
    """How many likes the post has now; None where there was no such like."""
    which = [like.post_id, like.user_id, like.page_id]
    return _count(fetched(UNLIKE.format(record=RECORD), [*which, *outbox(event)]))


def claim(new: Insertion) -> Claim:
    """What is kept under the key: what is new, or what was there before."""
    [kept] = fetched(CLAIM.format(insert=new.sql), new.values)
    return Claim(*kept)


def _count(rows: list[tuple[Any, ...]]) -> int | None:
    return rows[0][0] if rows else None
