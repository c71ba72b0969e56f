"""The rival: what the core answers to some requests, by hand-written SQL and nothing else.

    python -m bench.bare PORT

It verifies the same tokens, reads user and session afresh, and gives the same bytes for the first
twenty of each list, and for those that a feed's cursor leads on to; bench/ratio.py compares them.
Of limits, languages and bad input it knows nothing. The same server runs it: granian, as many
processes and threads.
"""

import base64
import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from bench import bare_sql as sql
from bench.bare_search import FIND, OF_PAGE, THRESHOLD, suggested
from innotter_contracts.ids import new_id

LIMIT = 20
SUGGESTED = 6
FIND_OF = {limit: FIND.format(n=limit) for limit in (LIMIT, SUGGESTED)}
NOBODY = UUID(int=0)
MEDIA_URL = os.environ.get("MEDIA_URL", "")
encoder = msgspec.json.Encoder()
of_thread = threading.local()

type Row = tuple[Any, ...]


class Refused(Exception):
    """With a status and no word."""


def rows(text: str, **values: Any) -> list[Row]:
    if not hasattr(of_thread, "cursor"):
        opened = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)
        opened.execute(THRESHOLD)
        of_thread.cursor = opened.cursor(binary=True)
    found: list[Row] = of_thread.cursor.execute(text, values).fetchall()
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
    found = rows(sql.ME, me=UUID(claims["sub"]), session=claims.get("sid"), many=sql.MANY)
    if not found:
        raise Refused("401")
    return found[0]


def image(name: str | None) -> str | None:
    return f"{MEDIA_URL}/{name}/large.webp" if name else None


def cursor(way: bytes, position: UUID) -> str:
    return base64.urlsafe_b64encode(way + position.bytes).rstrip(b"=").decode()


def pages_of(
    environ: dict[str, Any],
    found: list[Row],
    shown: list[Any],
    *,
    key: int = 0,
    newest: bool = True,
) -> dict[str, Any]:
    """A list of what is shown of these rows, with links on and back."""
    path = f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}?cursor="
    following = f"{path}{cursor(b'n', found[LIMIT - 1][key])}" if len(found) > LIMIT else None
    previous = f"{path}{cursor(b'p', found[0][key])}" if found and newest else None
    if position := asked_position(environ):
        previous = f"{path}{cursor(b'P', position)}"
    return {"next": following, "previous": previous, "results": shown}


def asked_position(environ: dict[str, Any]) -> UUID | None:
    _, _, position = environ["QUERY_STRING"].partition("cursor=")
    return UUID(bytes=decoded(position.encode())[1:]) if position else None


def posts_shown(me: UUID, found: list[Row]) -> list[Any]:
    answered = [row[0] for row in found if row[7]]
    replies = dict(rows(sql.REPLIES, me=me, ids=answered)) if answered else {}
    answers = [row[5] for row in found if row[5]]
    parents = rows(sql.PARENTS, me=me, ids=answers) if answers else []
    seen = {row[0]: {"id": row[0], "page": {"uuid": row[1], "name": row[2]}} for row in parents}
    return [
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
    ]


def posts_listed(environ: dict[str, Any], me: UUID, found: list[Row], **how: Any) -> dict[str, Any]:
    return pages_of(environ, found, posts_shown(me, found[:LIMIT]), **how)


def feed(environ: dict[str, Any]) -> Any:
    me, follows = caller(environ)
    before = asked_position(environ) or UUID(int=2**128 - 1)
    asked = {"me": me, "n": LIMIT + 1, "before": before}
    found = rows(sql.RECENT, **asked) if follows == sql.MANY else []
    if len(found) <= LIMIT:
        found = rows(sql.FEED, **asked)
    return posts_listed(environ, me, found)


def seen_page(me: UUID, uuid: str) -> Row:
    found = rows(sql.PAGE, me=me, uuid=uuid)
    if not found or (found[0][11] and not found[0][13]):
        raise Refused("404")
    return found[0]


def page(environ: dict[str, Any], uuid: str) -> Any:
    return page_shown(seen_page(caller(environ)[0], uuid))


def page_shown(row: Row) -> dict[str, Any]:
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
    return posts_listed(environ, me, rows(sql.POSTS, me=me, page=row[0], n=LIMIT + 1))


def post(environ: dict[str, Any], post: str) -> Any:
    me, _ = caller(environ)
    found = rows(sql.POST, me=me, post=UUID(post))
    if not found:
        raise Refused("404")
    return posts_shown(me, found)[0]


def answers(environ: dict[str, Any], post: str) -> Any:
    me, _ = caller(environ)
    found = rows(sql.ANSWERS, me=me, post=UUID(post), n=LIMIT + 1)
    return posts_listed(environ, me, found, newest=False)


def likes(environ: dict[str, Any]) -> Any:
    me, _ = caller(environ)
    return posts_listed(environ, me, rows(sql.LIKES, me=me, n=LIMIT + 1), key=11)


def user_shown(row: Row) -> dict[str, Any]:
    names = ("id", "username", "title", "image", "role", "is_blocked", "created_at")
    return {**dict(zip(names, row, strict=False)), "image": image(row[3])}


def followers(environ: dict[str, Any], uuid: str) -> Any:
    me, _ = caller(environ)
    row = seen_page(me, uuid)
    if row[8] and not row[13] and row[14] != "following":
        raise Refused("403")
    found = rows(sql.FOLLOWERS, page=row[0], n=LIMIT + 1)
    return pages_of(environ, found, [user_shown(each) for each in found[:LIMIT]], key=7)


def requests(environ: dict[str, Any], uuid: str) -> Any:
    me, _ = caller(environ)
    row = seen_page(me, uuid)
    if not row[13]:
        raise Refused("403")
    found = rows(sql.REQUESTS, page=row[0], n=LIMIT + 1)
    shown = [{"user": user_shown(each), "created_at": each[8]} for each in found[:LIMIT]]
    return pages_of(environ, found, shown, key=7, newest=False)


def follow(environ: dict[str, Any], uuid: str) -> Any:
    me, _ = caller(environ)
    on = environ["REQUEST_METHOD"] == "POST"
    text = sql.FOLLOWING if on else sql.UNFOLLOWING
    kind, more = ("page.followed", 1) if on else ("page.unfollowed", -1)
    if not rows(text, me=me, uuid=uuid, event=new_id(), type=kind, more=more):
        raise Refused("404")
    return {"follow": "following"} if on else None


def hits(environ: dict[str, Any], me: UUID, limit: int) -> list[tuple[str, Row]]:
    """One more than the limit, if there are so many."""
    asked = parse_qs(environ["QUERY_STRING"])["q"][0]
    found = rows(FIND_OF[limit], q=unicodedata.normalize("NFC", asked).strip(), me=me)
    return [("page", row) if row[0] else ("user", row[OF_PAGE:]) for row in found]


def search(environ: dict[str, Any]) -> Any:
    found = hits(environ, caller(environ)[0], LIMIT)
    shown = {"page": page_shown, "user": user_shown}
    following = None
    if len(found) > LIMIT:
        last = found[LIMIT - 1][1]
        place = base64.urlsafe_b64encode(f"n{last[-1]}:{last[0].hex}".encode()).rstrip(b"=")
        path = f"http://{environ['HTTP_HOST']}{environ['PATH_INFO']}"
        following = f"{path}?cursor={place.decode()}&{environ['QUERY_STRING']}"
    results = [{"type": kind, kind: shown[kind](row)} for kind, row in found[:LIMIT]]
    return {"next": following, "previous": None, "results": results}


def like(environ: dict[str, Any], post: str) -> Any:
    me, _ = caller(environ)
    on = environ["REQUEST_METHOD"] == "POST"
    text, kind, more = (sql.LIKED, "post.liked", 1) if on else (sql.UNLIKED, "post.unliked", -1)
    found = rows(text, me=me, post=UUID(post), event=new_id(), type=kind, more=more)
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
    found = rows(sql.WRITE, me=me, uuid=uuid, content=content, **made)
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
        case "GET", []:
            return "200 OK", suggested(hits(environ, NOBODY, SUGGESTED)[:SUGGESTED], MEDIA_URL)
        case "GET", parts:
            return "200 OK", read(environ, parts)
        case "POST", ["pages", uuid, "posts"]:
            return "201 Created", write(environ, uuid)
        case "POST" | "DELETE", ["posts", post, "like"]:
            return "200 OK", like(environ, post)
        case "POST", ["pages", uuid, "follow"]:
            return "200 OK", follow(environ, uuid)
        case "DELETE", ["pages", uuid, "follow"]:
            return "204 No Content", follow(environ, uuid)
        case _:
            raise Refused("404")


READS = {
    (1, "feed"): feed,
    (1, "search"): search,
    (2, "pages"): page,
    (3, "pages", "posts"): posts,
    (3, "pages", "followers"): followers,
    (3, "pages", "follow-requests"): requests,
    (2, "posts"): post,
    (3, "posts", "replies"): answers,
    (3, "users", "likes"): likes,
}


def read(environ: dict[str, Any], parts: list[str]) -> Any:
    """Of a path such as pages/uuid/posts."""
    function: Any = READS.get((len(parts), *parts[::2]))
    if function is None:
        raise Refused("404")
    return function(environ, *(each for each in parts[1:2] if each != "me"))


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    try:
        status, answer = route(environ)
    except Refused as refused:
        status, answer = f"{refused} Refused", None
    # A piece of HTML, nothing, or what is JSON.
    body = answer.encode() if isinstance(answer, str) else encoder.encode(answer)
    body = b"" if status.startswith("204") else body
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
