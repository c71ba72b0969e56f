"""What the event loop does before a thread of the application has a request, and what is made once
for all requests."""

import asyncio
from typing import Any, NoReturn

import pytest
from django.conf import settings
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from innotter.common.middleware import SecurityHeadersMiddleware
from innotter.config import asgi, urls


async def _never() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def answer(*headers: tuple[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and headers, for a client that goes on to send nothing."""
    sent: list[dict[str, Any]] = []
    scope = {
        "method": "GET",
        "path": "/health/live",
        "raw_path": b"/health/live",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 4000),
        "http_version": "1.1",
    }

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(asgi.application(scope, _never, send))
    return sent[0]["status"], sent[0]["headers"]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
def test_nobody_waits_for_a_body_that_there_is_not(headers: list[tuple[bytes, bytes]]) -> None:
    status, said = answer(*headers)
    assert status == 200
    assert (b"connection", b"close") not in said


@pytest.mark.parametrize("header", [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")])
def test_a_body_that_does_not_come_is_given_up(
    header: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0)
    status, said = answer(header)
    assert status == 408
    assert (b"connection", b"close") in said


def test_a_path_that_is_known_gives_each_request_a_match_of_its_own() -> None:
    urls.Remembering.resolve.cache_clear()
    first, second = resolve("/api/v1/pages/ann"), resolve("/api/v1/pages/ann")
    assert urls.Remembering.resolve.cache_info().hits == 1
    assert first.func is second.func
    first.kwargs["uuid"] = "bob"
    assert second.kwargs == {"uuid": "ann"}
    assert resolve("/api/v1/pages/ann").kwargs == {"uuid": "ann"}


def test_a_path_that_leads_nowhere_is_not_kept() -> None:
    urls.Remembering.resolve.cache_clear()
    with pytest.raises(Http404):
        resolve("/nowhere")
    assert urls.Remembering.resolve.cache_info().currsize == 0


def test_each_scheme_has_its_own_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECURE_HSTS_SECONDS", 60)
    headers = SecurityHeadersMiddleware(lambda _: HttpResponse())
    for secure in (True, False, True):
        said = headers(RequestFactory().get("/", secure=secure))
        assert ("Strict-Transport-Security" in said) == secure


def test_what_a_view_says_itself_stays() -> None:
    headers = SecurityHeadersMiddleware(
        lambda _: HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    )
    said = headers(RequestFactory().get("/"))
    assert said["Content-Security-Policy"] == "sandbox"
    assert said["X-Frame-Options"] == "DENY"
