import gzip
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import corsheaders.middleware
import structlog
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import get_conditional_response, patch_vary_headers, set_response_etag

from innotter.common.errors import DomainError, ReadOnly
from innotter.common.maintenance import maintenance
from innotter.common.metrics import FAILURES, REQUESTS
from innotter.common.problems import answer_to
from innotter_contracts.logs import REQUEST_ID_HEADER, request_id_from

log = structlog.get_logger("innotter.request")

# What every request is asked for is looked for in the environ: the first look at `request.headers`
# makes them of all that there is.
REQUEST_ID = f"HTTP_{REQUEST_ID_HEADER.upper().replace('-', '_')}"
AUTHORIZATION, ORIGIN = "HTTP_AUTHORIZATION", "HTTP_ORIGIN"
# A caller may make up others, without end; what we count has an end.
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# What probes and the statistics service ask every second.
POLLED = ("/health/", "/.well-known/jwks.json")

# Seconds that a gateway may keep what strangers read: a block holds within two.
PUBLIC_SECONDS = 2

# All is as Django's GZipMiddleware has it but for the level: 6 takes four times as long as 1, a
# tenth of a feed's page, and saves a tenth of the bytes.
COMPRESSION = 1
# Bytes.
WORTH_COMPRESSING, MOST_PADDING = 200, 100
ACCEPTS_GZIP = re.compile(r"\bgzip\b")

type GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestLogMiddleware:
    """One line a request. Its id comes from the caller or is made here, goes back in the answer,
    and travels on into events, tasks and the consumer's log."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_from(request.META.get(REQUEST_ID))
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self._logged(request)
        response[REQUEST_ID_HEADER] = request_id
        return response

    def _logged(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        if not request.path.startswith(POLLED):
            route = request.resolver_match.route if request.resolver_match else "none"
            method = request.method if request.method in METHODS else "other"
            REQUESTS.labels(method, route, response.status_code).observe(seconds)
            is_failure = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            # What maintenance refuses is meant.
            if is_failure and not hasattr(request, "refused"):
                FAILURES.inc()
            log.info(
                "request",
                method=request.method,
                path=_path(request),
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                user=_user_id(request),
                **({"refused": request.refused} if hasattr(request, "refused") else {}),
            )
        return response


def _path(request: HttpRequest) -> str:
    """Where a token is in it, the name of the route: who reads the log must not be able to use
    what a mail allows its reader."""
    match = request.resolver_match
    return f"/{match.route}" if match and "token" in match.kwargs else request.path


def _user_id(request: HttpRequest) -> str | None:
    """None also where the panel's user, who is read when first looked at, cannot be read."""
    with suppress(DatabaseFailure):
        user = getattr(request, "user", None)
        if user and user.is_authenticated:
            return str(user.pk)
    return None


class CompressionMiddleware:
    """Pages travel compressed, whatever stands in front. Static files lie compressed already, and
    the API's answers are left to the gateway. Padded at random against BREACH."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.streaming or request.path.startswith("/api/"):
            return response
        if len(response.content) < WORTH_COMPRESSING or "Content-Encoding" in response.headers:
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        if ACCEPTS_GZIP.search(request.META.get("HTTP_ACCEPT_ENCODING", "")):
            _compress(response)
        return response


def _compress(response: HttpResponse) -> None:
    packed = gzip.compress(response.content, COMPRESSION, mtime=0)
    # With a file's name of random length (RFC 1952, 2.3): its flag is in the fourth byte.
    name = b"a" * secrets.randbelow(MOST_PADDING) + b"\0"
    packed = packed[:3] + bytes([gzip.FNAME]) + packed[4:10] + name + packed[10:]
    if len(packed) >= len(response.content):
        return
    response.content = packed
    response["Content-Length"] = str(len(packed))
    response["Content-Encoding"] = "gzip"
    # Compressed it is the same, but not byte for byte (RFC 9110, 8.8.1).
    etag = response.get("ETag", "")
    if etag.startswith('"'):
        response["ETag"] = f"W/{etag}"


class CorsMiddleware(corsheaders.middleware.CorsMiddleware):
    """Most callers are no pages of other origins: they are told that it would make a difference,
    and no more is looked at."""

    def __call__(self, request: HttpRequest) -> Any:
        if ORIGIN in request.META or request.method == "OPTIONS":
            return super().__call__(request)
        response: Any = self.get_response(request)
        if request.path.startswith("/api/"):
            patch_vary_headers(response, ["origin"])
        return response


class SecurityHeadersMiddleware:
    """The headers of Django's own three middlewares, which are the same for every answer: made once
    for each scheme. A view that has a policy of its own (`csp_override`) keeps it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._made: dict[str | None, dict[str, str]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if hasattr(response, "_csp_config"):
            ContentSecurityPolicyMiddleware(self.get_response).process_response(request, response)
        if request.scheme not in self._made:
            self._made[request.scheme] = _security_headers(request)
        for name, value in self._made[request.scheme].items():
            response.headers.setdefault(name, value)
        return response


def _security_headers(request: HttpRequest) -> dict[str, str]:
    """What Django's middlewares add to an answer that says nothing."""
    said = HttpResponse()
    empty = dict(said.items())
    for middleware in (
        SecurityMiddleware,
        ContentSecurityPolicyMiddleware,
        XFrameOptionsMiddleware,
    ):
        middleware(lambda _: said).process_response(request, said)
    return {name: value for name, value in said.items() if name not in empty}


class MaintenanceMiddleware:
    """During maintenance nothing that writes reaches its view: the API's, the site's, the panel's.

    It is refused when its route is known: the log names that where a token is in the path."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if request.method in SAFE or not maintenance():
            return None
        request.refused = ReadOnly.code  # type: ignore[attr-defined]
        return answer_to(request, ReadOnly())


class ErrorsMiddleware:
    """An error of the domain that a view outside DRF raises becomes its answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer_to(request, error) if isinstance(error, DomainError) else None


class PrivateAnswersMiddleware:
    """What depends on its caller stays out of every cache: all answers of the API, but for what
    anybody reads without a token. Those name in `Vary` that a token would change them. Of the
    site, what a stranger reads without a form may be kept for seconds, and carries an ETag."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith("/api/"):
            return self._of_site(request, response)
        patch_vary_headers(response, ["Authorization"])
        is_public = (
            request.method in ("GET", "HEAD")
            and response.status_code == HTTPStatus.OK
            and AUTHORIZATION not in request.META
        )
        if not is_public:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _of_site(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if "Cache-Control" in response.headers:
            return response
        user = getattr(request, "user", None)
        is_public = (
            request.method in ("GET", "HEAD")
            and response.status_code == HTTPStatus.OK
            and user is not None
            and not user.is_authenticated
            and not response.cookies
        )
        patch_vary_headers(response, ["Cookie", "Accept-Language"])
        if not is_public:
            response["Cache-Control"] = "private, no-store"
            return response
        response["Cache-Control"] = f"public, max-age={PUBLIC_SECONDS}"
        set_response_etag(response)
        etag = response["ETag"]
        return get_conditional_response(request, etag=etag, response=response) or response
