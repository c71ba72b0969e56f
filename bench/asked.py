"""What is asked of the core and of its rival, and what it may cost."""

import base64
import json
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import psycopg

from bench.names import QUESTIONS
from bench.rows import FOLLOWED

# At most so many times what the bare one costs.
BARS: dict[str, float] = {
    **{f"{feed}{count}": 2 for feed in ("feed", "flood", "deep") for count in FOLLOWED},
    **dict.fromkeys(("page", "posts", "thread", "likes", "followers", "requests"), 2.5),
    **dict.fromkeys(("like", "follow", "post"), 3),
    **dict.fromkeys(("search", "suggestions"), 1.3),
}
READERS = {count: f"reader{count}" for count in FOLLOWED}
FEED = "/api/v1/feed"
# So many pages and posts are asked for.
ASKED = 200

PAGES = """SELECT uuid FROM pages_page page JOIN accounts_user owner ON owner.id = owner_id
    WHERE NOT is_private AND NOT blocked_for_good AND NOT is_blocked AND posts_count > 20
    ORDER BY md5(uuid) LIMIT %s"""
POSTS = """SELECT post.id::text FROM posts_post post JOIN pages_page page ON page.id = page_id
    JOIN accounts_user owner ON owner.id = owner_id
    WHERE NOT is_private AND NOT blocked_for_good AND NOT is_blocked AND replies_count >= %s
    ORDER BY post.id DESC LIMIT %s"""
# After it the hundredth page of a feed begins, or the last of a shorter one.
LAST_SEEN = """SELECT id FROM (SELECT id FROM posts_post WHERE page_id IN (
    SELECT page_id FROM pages_follow JOIN accounts_user person ON person.id = user_id
    WHERE username = %s) ORDER BY id DESC LIMIT 100 * 20) seen ORDER BY id LIMIT 1 OFFSET 20"""

# After it a feed begins with a flood of others' posts.
FLOOD = """SELECT post.id FROM posts_post post JOIN pages_page page ON page.id = page_id
    WHERE uuid = 'flooding-page' ORDER BY post.id DESC LIMIT 1"""

# Method, path, body.
type Request = tuple[str, str, str | None]


class Asked(NamedTuple):
    # Nobody, where it is empty.
    who: str
    requests: list[Request]
    # Beside the token of who asks.
    headers: tuple[tuple[str, str], ...] = ()


def questions(database_url: str) -> dict[str, Asked]:
    with psycopg.connect(database_url) as database:
        pages = [row[0] for row in database.execute(PAGES, [ASKED])]
        posts = [row[0] for row in database.execute(POSTS, [0, ASKED])]
        answered = [row[0] for row in database.execute(POSTS, [1, ASKED])]
        flood = database.execute(FLOOD).fetchall()
        deep = {who: database.execute(LAST_SEEN, [who]).fetchall() for who in READERS.values()}
    page_of, post_of = "/api/v1/pages/{}".format, "/api/v1/posts/{}".format
    private = page_of("authors-private")
    text = json.dumps({"content": "Fog over the water, and a boat."})
    asked = [urlencode({"q": question}) for question in QUESTIONS]
    return {
        **{f"feed{count}": Asked(who, reads([FEED])) for count, who in READERS.items()},
        **{f"flood{count}": feed_after(flood, who) for count, who in READERS.items()},
        **{f"deep{count}": feed_after(deep[who], who) for count, who in READERS.items()},
        "page": Asked("reader100", reads(map(page_of, pages))),
        "posts": Asked("reader100", reads(f"{page_of(page)}/posts" for page in pages)),
        "thread": Asked(
            "reader100",
            reads(f"{post_of(post)}{part}" for post in answered for part in ("", "/replies")),
        ),
        "likes": Asked("reader100", reads(["/api/v1/users/me/likes"])),
        "followers": Asked("reader100", reads(f"{page_of(page)}/followers" for page in pages)),
        "requests": Asked("author", reads([f"{private}/follow-requests"])),
        "like": Asked("author", there_and_back(f"{post_of(post)}/like" for post in posts)),
        "follow": Asked("author", there_and_back(f"{page_of(page)}/follow" for page in pages)),
        "post": Asked("author", [("POST", f"{page_of('authors-page')}/posts", text)]),
        "search": Asked("reader100", reads(f"/api/v1/search?{each}" for each in asked)),
        "suggestions": Asked("", reads(f"/search/suggestions?{each}" for each in asked)),
    }


def feed_after(found: list[tuple[UUID]], who: str) -> Asked:
    """What follows on these posts in somebody's feed."""
    cursors = [
        base64.urlsafe_b64encode(b"n" + post.bytes).rstrip(b"=").decode() for (post,) in found
    ]
    return Asked(who, reads(f"{FEED}?cursor={cursor}" for cursor in cursors))


def reads(paths: Iterable[str]) -> list[Request]:
    return [("GET", path, None) for path in paths]


def there_and_back(paths: Iterable[str]) -> list[Request]:
    return [(method, path, None) for path in paths for method in ("POST", "DELETE")]
