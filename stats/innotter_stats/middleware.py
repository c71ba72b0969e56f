"""What happens to every request: a line in the log, and the question who is calling."""

import asyncio
import re
import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from innotter_contracts.logs import REQUEST_ID_HEADER, request_id_from
from innotter_contracts.problems import challenge
from innotter_contracts.tokens import Claims, InvalidToken, bearer_token, verify
from innotter_stats.errors import problem_response
from innotter_stats.keys import KeyCache, KeysUnavailable
from innotter_stats.metrics import FAILURES, REQUESTS
from innotter_stats.store import StoreUnavailable

# What every answer carries, unless it has something of its own. Charts have styles in them.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
# Bytes; the gateway's bound of headers is the same.
MAX_TARGET = 8 * 1024
MAX_HEADERS = 32 * 1024
# No endpoint takes a body. So many bytes are read, for so many seconds, so that the connection can
# be used again.
MAX_UNREAD_BODY = 64 * 1024
BODY_TIMEOUT = 5
# A name or an IP, and perhaps a port.
_HOST = re.compile(r"(?P<name>[^:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d+)?")

log = structlog.get_logger("innotter_stats.requests")
# A caller may make up others.
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class JWTMiddleware:
    """Verifies the access token of every request that carries one, on public endpoints too.

    `request.state.claims` is then who calls: verified Claims, or None for a stranger. A user
    who was blocked since the token was issued is refused: this service learns of blocks by event.
    """

    def __init__(
        self, app: ASGIApp, *, keys: KeyCache, issuer: str, is_blocked: Callable[[UUID], bool]
    ) -> None:
        self._app = app
        self._keys = keys
        self._issuer = issuer
        self._is_blocked = is_blocked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            claims = self._claims(Headers(scope=scope))
            blocked = claims is not None and await run_in_threadpool(self._is_blocked, claims.sub)
        except InvalidToken as error:
            await _refusal("invalid_token", str(error))(scope, receive, send)
        except (KeysUnavailable, StoreUnavailable):
            await problem_response(503)(scope, receive, send)
        else:
            scope.setdefault("state", {})["claims"] = claims
            app = _refusal("user_blocked", "This account is blocked.") if blocked else self._app
            await app(scope, receive, send)

    def _claims(self, headers: Headers) -> Claims | None:
        match headers.getlist("authorization"):
            case []:
                return None
            case [authorization]:
                token = bearer_token(authorization)
                return verify(token, keys=self._keys.known(), issuer=self._issuer)
            case _:
                raise InvalidToken("There is more than one Authorization header.")


class TrustedHostMiddleware:
    """Answers to the host names of this service alone. (Starlette's answers in plain text.)"""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            host = _HOST.fullmatch(Headers(scope=scope).get("host", ""))
            if host is None or host["name"].lower() not in self._hosts:
                app = problem_response(400, detail="Unknown host.")
        await app(scope, receive, send)


class RequestSizeMiddleware:
    """Refuses a target or headers that nobody needs. (uvicorn bounds only what comes in parts.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
                app = problem_response(414)
            elif sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
                app = problem_response(431)
        await app(scope, receive, send)


class ResponseHeadersMiddleware:
    """Security headers, and what caches must know: who may keep an answer, and what it depends
    on. Anybody's token is judged, on public URLs too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.add_vary_header("Authorization")
                if "etag" not in headers:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HeadMiddleware:
    """HEAD goes wherever GET goes, and is answered without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # Servers look at their own scope for what they are answering.
        as_get: Scope = {**scope, "method": "GET", "state": scope.setdefault("state", {})}
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            scope["route"] = as_get.get("route")


class UnreadBodyMiddleware:
    """Reads a request's body, within bounds, before it is answered; otherwise hangs up after it.

    A connection with the rest of a body on it must not be used again: a gateway would take the
    rest for somebody else's failure.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_read = await _read(receive)

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_read:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_and_close)


class RequestLogMiddleware:
    """One line a request, under the request id that the caller gave or that is made here.

    The outermost one, so that an exception which nobody expected ends here: it goes into the
    log, and the caller learns nothing but that it happened.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_from(Headers(scope=scope).get(REQUEST_ID_HEADER))
        started = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                log.exception("unexpected_error")
                if status is not None:
                    # The answer has begun: all that is left is to break it off.
                    raise
                await problem_response(500)(scope, receive, send_with_id)
            finally:
                _measure(scope, status, started)
                log.info("request", **_described(scope, status, started))


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _read(receive: Receive) -> bool:
    """Whether all of the body has come, within the bounds."""
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while size <= MAX_UNREAD_BODY:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return bool(message["type"] == "http.request")
    except TimeoutError:
        pass
    return False


def _refusal(code: str, reason: str) -> Response:
    return problem_response(
        401,
        code=code,
        detail=reason,
        headers={"WWW-Authenticate": challenge(reason)},
    )


def _measure(scope: Scope, status: int | None, started: float) -> None:
    # The matched route; one name for everything unmatched.
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(method, route, status).observe(time.perf_counter() - started)
    # None: the client is gone, or nothing came of it.
    if status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        FAILURES.inc()


def _described(scope: Scope, status: int | None, started: float) -> dict[str, Any]:
    claims: Claims | None = scope.get("state", {}).get("claims")
    return {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
        "user": str(claims.sub) if claims else None,
    }
