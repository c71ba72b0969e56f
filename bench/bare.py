"""The rival: what the core answers to some requests, by hand-written SQL and nothing else.

    python bench/bare.py PORT

It verifies the same tokens, reads user and session afresh, and gives the same bytes for the newest
twenty of each list, and of the feed those after a cursor; bench/ratio.py compares them. Of limits,
languages and bad input it knows nothing. The same server runs it: granian, as many processes and
threads.
"""
# ruff: noqa: S608 (what is put into these texts is other texts of this page)

import base64
import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from innotter_contracts.ids import new_id

LIMIT = 20
# From so many follows on, the newest of all posts are looked at first: so many.
MANY, NEWEST = 300, 2000

ME = """
SELECT person.id, (SELECT count(*) FROM (SELECT FROM pages_follow
    WHERE user_id = person.id AND accepted_at IS NOT NULL LIMIT %(many)s) followed)
FROM accounts_user person
WHERE person.id = %(me)s AND NOT person.is_blocked AND person.deletes_at IS NULL AND NOT EXISTS (
    SELECT FROM accounts_session WHERE id = %(session)s AND ended_at IS NOT NULL)"""
FOLLOWED = """EXISTS (SELECT FROM pages_follow
    WHERE user_id = %(me)s AND page_id = page.id AND accepted_at IS NOT NULL)"""
BLOCKED = """(page.blocked_for_good OR coalesce(page.unblock_date > now(), false) OR EXISTS (
    SELECT FROM accounts_user WHERE id = page.owner_id
        AND (is_blocked OR deletes_at IS NOT NULL)))"""
VISIBLE = f"""(page.owner_id = %(me)s
    OR NOT {BLOCKED} AND (NOT page.is_private OR {FOLLOWED}))"""
SHOWN = """
SELECT post.id, page.uuid, page.name, page.image_id, post.content, post.reply_to_id,
    post.likes_count, post.replies_count, EXISTS (SELECT FROM posts_like
        WHERE post_id = post.id AND user_id = %(me)s AND page_id = post.page_id),
    post.created_at, post.updated_at
FROM posts_post post JOIN pages_page page ON page.id = post.page_id
WHERE post.id = ANY(ARRAY({ids})) ORDER BY post.id DESC"""
# The newest post of each page in the order of time, and its page looked at until there are enough;
# then what is newer than the last of these.
FEED = SHOWN.format(
    ids=f"""
    WITH heads AS MATERIALIZED (
        SELECT nearest.page_id, nearest.head FROM (
            SELECT mine.page_id, (SELECT id FROM posts_post
                WHERE page_id = mine.page_id AND id < %(before)s
                ORDER BY id DESC LIMIT 1) AS head
            FROM (SELECT page_id FROM pages_follow
                    WHERE user_id = %(me)s AND accepted_at IS NOT NULL
                UNION SELECT id FROM pages_page WHERE owner_id = %(me)s) mine
            ORDER BY head DESC NULLS LAST OFFSET 0) nearest
        WHERE head IS NOT NULL AND EXISTS (
            SELECT FROM pages_page page WHERE page.id = nearest.page_id AND {VISIBLE})
        LIMIT %(n)s),
    least AS MATERIALIZED (SELECT CASE WHEN count(*) = %(n)s THEN
        (SELECT head FROM heads ORDER BY head LIMIT 1) END AS id FROM heads)
    SELECT newest.id FROM heads, LATERAL (SELECT id FROM posts_post
        WHERE page_id = heads.page_id AND id < %(before)s
            AND id >= coalesce((SELECT id FROM least), '00000000-0000-0000-0000-000000000000')
        ORDER BY id DESC LIMIT %(n)s) newest
    ORDER BY newest.id DESC LIMIT %(n)s"""
)
RECENT = SHOWN.format(
    ids=f"""
    SELECT recent.id FROM (SELECT id, page_id FROM posts_post WHERE id < %(before)s
        ORDER BY id DESC LIMIT {NEWEST}) recent
    WHERE EXISTS (SELECT FROM pages_page page WHERE page.id = recent.page_id
        AND (page.owner_id = %(me)s OR {FOLLOWED}) AND {VISIBLE})
    LIMIT %(n)s"""
)
POSTS = SHOWN.format(
    ids="SELECT id FROM posts_post WHERE page_id = %(page)s ORDER BY id DESC LIMIT %(n)s"
)
REPLIES = f"""
SELECT post.id, (SELECT count(*) FILTER (WHERE seen) FROM (
    SELECT {VISIBLE} AS seen FROM posts_post reply JOIN pages_page page ON page.id = reply.page_id
    WHERE reply.reply_to_id = post.id ORDER BY reply.id LIMIT 1000) replies)
FROM posts_post post WHERE post.id = ANY(%(ids)s)"""
PARENTS = f"""
SELECT post.id, page.uuid, page.name
FROM posts_post post JOIN pages_page page ON page.id = post.page_id
WHERE post.id = ANY(%(ids)s) AND {VISIBLE}"""
PAGE = f"""
SELECT page.id, page.uuid, page.name, page.description, page.image_id, owner.username, owner.title,
    owner.image_id, page.is_private, page.followers_count, page.posts_count, {BLOCKED},
    CASE WHEN page.unblock_date > now() AND NOT page.blocked_for_good AND NOT owner.is_blocked
        THEN page.unblock_date END,
    page.owner_id = %(me)s, (SELECT CASE WHEN accepted_at IS NULL THEN 'requested'
        ELSE 'following' END FROM pages_follow WHERE page_id = page.id AND user_id = %(me)s),
    page.created_at, page.updated_at, ARRAY(SELECT tag.name FROM pages_page_tags tagged
        JOIN pages_tag tag ON tag.id = tagged.tag_id WHERE tagged.page_id = page.id ORDER BY 1)
FROM pages_page page JOIN accounts_user owner ON owner.id = page.owner_id
WHERE lower(page.uuid) = lower(%(uuid)s)"""
# A write, its count and its event; the lock is the one that keeps a page's events in order.
EVENT = """
    lock AS (SELECT pg_advisory_xact_lock_shared(6663,
        ('x' || right(page_id::text, 2))::bit(8)::int %% 64) FROM counted),
    event AS (INSERT INTO events_outboxevent (id, type, body, occurred_at)
        SELECT %(event)s, %(type)s::text, jsonb_build_object('id', %(event)s::uuid, 'version', 2,
            'occurred_at', now(), 'actor', %(me)s::uuid, 'request_id', %(event)s::text,
            'type', %(type)s::text, 'payload', {payload}), now()
        FROM counted, (SELECT count(*) FROM lock) locked
        RETURNING pg_notify('innotter_outbox', ''))"""
LIKE = f"""
WITH post AS MATERIALIZED (
        SELECT post.id, post.page_id, post.likes_count
        FROM posts_post post JOIN pages_page page ON page.id = post.page_id
        WHERE post.id = %(post)s AND {VISIBLE} FOR NO KEY UPDATE OF post),
    changed AS ({{change}} RETURNING 1),
    counted AS (UPDATE posts_post SET likes_count = likes_count + %(more)s
        WHERE id = %(post)s AND EXISTS (SELECT FROM changed) RETURNING likes_count, page_id),
    {
    EVENT.format(
        payload='''jsonb_build_object('post_id', %(post)s::uuid, 'page_id', page_id,
            'user_id', %(me)s::uuid)'''
    )
}
SELECT coalesce((SELECT likes_count FROM counted), likes_count), (SELECT count(*) FROM event)
FROM post"""
LIKED = LIKE.format(
    change="""INSERT INTO posts_like (id, created_at, updated_at, page_id, post_id, user_id)
        SELECT uuidv7(), now(), now(), page_id, id, %(me)s FROM post ON CONFLICT DO NOTHING"""
)
UNLIKED = LIKE.format(
    change="""DELETE FROM posts_like USING post
        WHERE post_id = post.id AND posts_like.page_id = post.page_id AND user_id = %(me)s"""
)
WRITE = f"""
WITH page AS MATERIALIZED (
        SELECT page.* FROM pages_page page WHERE lower(uuid) = lower(%(uuid)s)
            AND owner_id = %(me)s AND NOT {BLOCKED} FOR NO KEY UPDATE OF page),
    written AS (INSERT INTO posts_post (id, created_at, updated_at, page_id, content, likes_count,
            replies_count)
        SELECT %(post)s, now(), now(), id, %(content)s, 0, 0 FROM page RETURNING created_at),
    counted AS (UPDATE pages_page SET posts_count = posts_count + 1
        WHERE id IN (SELECT id FROM page) RETURNING id AS page_id),
    {
    EVENT.format(
        payload='''jsonb_build_object('post_id', %(post)s::uuid, 'page_id', page_id,
            'reply_to', NULL)'''
    )
}
SELECT uuid, name, image_id, written.created_at, (SELECT count(*) FROM event) FROM page, written"""

MEDIA_URL = os.environ.get("MEDIA_URL", "")
encoder = msgspec.json.Encoder()
of_thread = threading.local()

type Row = tuple[Any, ...]


class Refused(Exception):
    """With a status and no word."""


def rows(sql: str, **values: Any) -> list[Row]:
    if not hasattr(of_thread, "cursor"):
        opened = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)
        of_thread.cursor = opened.cursor(binary=True)
    found: list[Row] = of_thread.cursor.execute(sql, values).fetchall()
    return found


def decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def public_keys() -> dict[str, Ed25519PublicKey]:
    keys = msgspec.json.decode(Path(os.environ["SIGNING_KEYS_FILE"]).read_bytes())["keys"]
    return {
        key["kid"]: Ed25519PublicKey.from_public_bytes(decoded(key["x"].encode())) for key in keys
    }


def caller(environ: dict[str, Any]) -> Row:
    """Id, and how much they follow, up to MANY."""
    signed, _, signature = environ["HTTP_AUTHORIZATION"][7:].encode().rpartition(b".")
    head, _, payload = signed.partition(b".")
    header, claims = (msgspec.json.decode(decoded(part)) for part in (head, payload))
    KEYS[header["kid"]].verify(decoded(signature), signed)
    wanted = ("EdDSA", "at+jwt", os.environ["CORE_URL"], "innotter")
    named = (header["alg"], header["typ"], claims["iss"], claims["aud"])
    if named != wanted or not claims["iat"] - 5 < time.time() < claims["exp"] + 5:
        raise Refused("401")
    found = rows(ME, me=UUID(claims["sub"]), session=claims.get("sid"), many=MANY)
    if not found:
        raise Refused("401")
    return found[0]


def image(name: str | None) -> str | None:
    return f"{MEDIA_URL}/{name}/large.webp" if name else None


def cursor(way: bytes, row: Row) -> str:
    return base64.urlsafe_b64encode(way + row[0].bytes).rstrip(b"=").decode()


def position(environ: dict[str, Any]) -> UUID:
    """Where the cursor says, or after all."""
    _, _, text = environ["QUERY_STRING"].partition("cursor=")
    return UUID(bytes=decoded(text.encode())[1:]) if text else UUID(int=2**128 - 1)


def listed(environ: dict[str, Any], me: UUID, found: list[Row]) -> dict[str, Any]:
    path = f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}"
    more, found = len(found) > LIMIT, found[:LIMIT]
    answered = [row[0] for row in found if row[7]]
    replies = dict(rows(REPLIES, me=me, ids=answered)) if answered else {}
    answers = [row[5] for row in found if row[5]]
    parents = rows(PARENTS, me=me, ids=answers) if answers else []
    seen = {row[0]: {"id": row[0], "page": {"uuid": row[1], "name": row[2]}} for row in parents}
    return {
        "next": f"{path}?cursor={cursor(b'n', found[-1])}" if more else None,
        "previous": f"{path}?cursor={cursor(b'p', found[0])}" if found else None,
        "results": [
            {
                "id": post,
                "page": {"uuid": uuid, "name": name, "image": image(picture)},
                "content": content,
                "reply_to": parent and seen.get(parent, {"id": None}),
                "likes_count": likes,
                "replies_count": replies.get(post, 0),
                "viewer": {"liked": liked},
                "created_at": moments[0],
                "updated_at": moments[1],
            }
            for post, uuid, name, picture, content, parent, likes, _, liked, *moments in found
        ],
    }


def feed(environ: dict[str, Any]) -> Any:
    me, follows = caller(environ)
    before = position(environ)
    found = rows(RECENT, me=me, n=LIMIT + 1, before=before) if follows == MANY else []
    if len(found) <= LIMIT:
        found = rows(FEED, me=me, n=LIMIT + 1, before=before)
    return listed(environ, me, found)


def seen_page(me: UUID, uuid: str) -> Row:
    found = rows(PAGE, me=me, uuid=uuid)
    if not found or (found[0][11] and not found[0][13]):
        raise Refused("404")
    return found[0]


def page(environ: dict[str, Any], uuid: str) -> Any:
    row = seen_page(caller(environ)[0], uuid)
    return {
        "id": row[0],
        "uuid": row[1],
        "name": row[2],
        "description": row[3],
        "tags": row[17],
        "image": image(row[4]),
        "owner": {"username": row[5], "title": row[6], "image": image(row[7])},
        "is_private": row[8],
        "followers_count": row[9],
        "posts_count": row[10],
        "is_blocked": row[11],
        "unblock_date": row[12],
        "viewer": {"is_owner": row[13], "follow": row[14] or "none"},
        "created_at": row[15],
        "updated_at": row[16],
    }


def posts(environ: dict[str, Any], uuid: str) -> Any:
    me, _ = caller(environ)
    row = seen_page(me, uuid)
    if row[8] and not row[13] and row[14] != "following":
        raise Refused("403")
    return listed(environ, me, rows(POSTS, me=me, page=row[0], n=LIMIT + 1))


def like(environ: dict[str, Any], post: str) -> Any:
    me, _ = caller(environ)
    on = environ["REQUEST_METHOD"] == "POST"
    sql, kind, more = (LIKED, "post.liked", 1) if on else (UNLIKED, "post.unliked", -1)
    found = rows(sql, me=me, post=UUID(post), event=new_id(), type=kind, more=more)
    if not found:
        raise Refused("404")
    return {"likes_count": found[0][0], "liked": on}


def write(environ: dict[str, Any], uuid: str) -> Any:
    me, _ = caller(environ)
    sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    content = unicodedata.normalize("NFC", msgspec.json.decode(sent)["content"])
    if not 0 < len(content.strip()) <= len(content) <= 180:
        raise Refused("400")
    made = {"post": new_id(), "event": new_id(), "type": "post.created"}
    found = rows(WRITE, me=me, uuid=uuid, content=content, **made)
    if not found:
        raise Refused("403")
    uuid, name, picture, created, _ = found[0]
    return {
        "id": made["post"],
        "page": {"uuid": uuid, "name": name, "image": image(picture)},
        "content": content,
        "reply_to": None,
        "likes_count": 0,
        "replies_count": 0,
        "viewer": {"liked": False},
        "created_at": created,
        "updated_at": created,
    }


def route(environ: dict[str, Any]) -> tuple[str, Any]:
    match environ["REQUEST_METHOD"], environ["PATH_INFO"].split("/")[3:]:
        case "GET", ["feed"]:
            return "200 OK", feed(environ)
        case "GET", ["pages", uuid]:
            return "200 OK", page(environ, uuid)
        case "GET", ["pages", uuid, "posts"]:
            return "200 OK", posts(environ, uuid)
        case "POST", ["pages", uuid, "posts"]:
            return "201 Created", write(environ, uuid)
        case "POST" | "DELETE", ["posts", post, "like"]:
            return "200 OK", like(environ, post)
        case _:
            raise Refused("404")


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    try:
        status, answer = route(environ)
    except Refused as refused:
        status, answer = f"{refused} Refused", None
    body = encoder.encode(answer)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    sys.stdout.write(f"{status} {environ['PATH_INFO']}\n")
    return [body]


KEYS = public_keys() if "SIGNING_KEYS_FILE" in os.environ else {}

if __name__ == "__main__":
    Server(
        "bench.bare:application",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=2,
        blocking_threads=4,
        log_level=LogLevels.warning,
    ).serve()
