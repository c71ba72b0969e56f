"""What granian serves: the core's WSGI application behind an event loop.

A request takes a thread when its body has arrived, and gives it back before its answer leaves:
nobody waits for a client that sends or reads slowly. What waits for nothing needs none.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import structlog
from django.core.exceptions import RequestDataTooBig
from django.core.wsgi import get_wsgi_application

api = get_wsgi_application()

from django.conf import settings  # noqa: E402 (the application has set Django up)
from django.core.cache import close_caches  # noqa: E402
from django.core.handlers.base import reset_urlconf  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections, reset_queries  # noqa: E402

from innotter.web.middleware import needs_no_thread  # noqa: E402
from innotter_contracts.problems import MEDIA_TYPE, problem  # noqa: E402

# A longer body is not read to its end, and its connection is closed.
MAX_BODY = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
# Bodies that are longer than JSON may be, held in memory at once; others wait.
LARGE_BODIES = 8
# Whose names are remembered: a browser sends some twenty.
KNOWN_HEADERS = 100
# In which a body has to arrive: as long as the gateway waits.
BODY_SECONDS = 60

log = structlog.get_logger("innotter.request")
# Whether its connection is old or broken, Django asks before each request and again after it. There
# are no caches to be closed, no request has routes of its own, and nobody reads its statements.
for _receiver in (close_old_connections, close_caches, reset_urlconf):
    request_finished.disconnect(_receiver)
request_started.disconnect(reset_queries)
threads = ThreadPoolExecutor(settings.API_THREADS, thread_name_prefix="request")
large_bodies = asyncio.Semaphore(LARGE_BODIES)

type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
# Status, headers, content.
type Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class BrokenBody(Exception):
    """It ended early, or its framing was nonsense."""


class TooLongBody(BytesIO):
    """Stands for a body that was not kept. The application refuses it when it wants to read it."""

    def read(self, size: int | None = -1, /) -> NoReturn:
        raise RequestDataTooBig

    readline = read


async def application(scope: Message, receive: Receive, send: Send) -> None:
    async with AsyncExitStack() as held:
        try:
            body, length, is_read = await _body(scope, receive, held)
        except BrokenBody:
            is_read = False
            status, headers, content = _refusal(scope, HTTPStatus.BAD_REQUEST, "malformed")
        except TimeoutError:
            is_read = False
            status, headers, content = _refusal(scope, HTTPStatus.REQUEST_TIMEOUT, "timeout")
        else:
            status, headers, content = await _answered(_environ(scope, body, length))
    if not is_read:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _body(
    scope: Message, receive: Receive, held: AsyncExitStack
) -> tuple[BytesIO, int, bool]:
    """The body, its length as far as it is known, and whether it was read to its end. Raises
    BrokenBody, TimeoutError."""
    headers = dict(scope["headers"])
    if int(headers.get(b"content-length", 0)) == 0 and b"transfer-encoding" not in headers:
        # RFC 9112, 6.3: there is none. To wait for it would cost as much as the rest of this page.
        return BytesIO(), 0, True
    async with asyncio.timeout(BODY_SECONDS):
        return await _read_body(headers, receive, held)


async def _read_body(
    headers: dict[bytes, bytes], receive: Receive, held: AsyncExitStack
) -> tuple[BytesIO, int, bool]:
    """What will be refused is read and thrown away, up to MAX_BODY: an answer that leaves before
    that breaks the connection, on which a gateway sends the next request."""
    length = int(headers.get(b"content-length", 0))
    is_form = headers.get(b"content-type", b"").startswith(b"multipart/")
    most = MAX_BODY if is_form else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length > MAX_BODY:
        return TooLongBody(), length, False
    body, read = BytesIO(), 0
    async for chunk in _chunks(receive):
        read += len(chunk)
        if read > MAX_BODY:
            return TooLongBody(), read, False
        if read > settings.DATA_UPLOAD_MAX_MEMORY_SIZE >= read - len(chunk) and is_form:
            await held.enter_async_context(large_bodies)
        if read <= most:
            body.write(chunk)
    if read > most:
        return TooLongBody(), read, True
    body.seek(0)
    return body, read, True


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BrokenBody
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _environ(scope: Message, body: BytesIO, length: int) -> dict[str, Any]:
    """As PEP 3333 has it. No header of the client's says what it did not come by: path, scheme and
    client and server are those of the connection."""
    host, port = scope["server"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # With an underscore it would pass for another header.
        if b"_" not in name:
            key = _key(name)
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    # Known now, with either framing.
    environ["CONTENT_LENGTH"] = str(length)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


@lru_cache(KNOWN_HEADERS)
def _key(header: bytes) -> str:
    """Of a header in the environ."""
    return f"HTTP_{header.decode('latin-1').upper().replace('-', '_')}"


async def _answered(environ: dict[str, Any]) -> Answer:
    if needs_no_thread(environ):
        return _answer(environ)
    return await asyncio.get_running_loop().run_in_executor(threads, _answer, environ)


def _answer(environ: dict[str, Any]) -> Answer:
    """The application's, whole: it is some hundred kilobytes at most."""
    started: list[Any] = []
    chunks = api(environ, lambda *words: started.extend(words))  # type: ignore[arg-type]
    try:
        content = b"".join(chunks)
    finally:
        chunks.close()
    status, headers, *_ = started
    encoded = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]
    return int(status.split(" ", 1)[0]), encoded, content


def _refusal(scope: Message, status: HTTPStatus, code: str) -> Answer:
    """Of a body that never was there; the application is not asked."""
    log.info("request", method=scope["method"], path=scope["path"], status=status, code=code)
    document = problem(status, code, "The request's body did not arrive.")
    return status, [(b"content-type", MEDIA_TYPE.encode())], json.dumps(document).encode()
