"""What the event loop does before a thread of the application has a request, and what is made once
for all requests."""

import asyncio
import math
from concurrent.futures import Executor
from types import SimpleNamespace
from typing import Any, NoReturn
from uuid import UUID

import pytest
from django.conf import settings
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from innotter.common.metrics import REQUESTS
from innotter.common.middleware import SecurityHeadersMiddleware
from innotter.common.pagination import BEFORE, encode
from innotter.config import asgi, urls
from innotter.conftest import Log
from innotter.feed import selectors as feed

OLDER, NEWEST = UUID(int=1), UUID(int=2)


async def _never() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def answer(
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    path: str = "/health/live",
    query: str = "",
    host: bytes = b"localhost",
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and headers, for a client that goes on to send nothing."""
    sent: list[dict[str, Any]] = []
    scope = {
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", host), *headers],
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


class ThreadTaken(Exception):
    pass


class NoThreads(Executor):
    def submit(self, *call: Any, **named: Any) -> NoReturn:
        raise ThreadTaken


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which post is the newest; and there is no thread."""
    monkeypatch.setattr(feed, "_newest", feed._Newest(NEWEST, looked_at=math.inf))
    monkeypatch.setattr(asgi, "threads", NoThreads())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_poll_that_is_known_to_find_nothing_takes_no_thread(
    method: str, known: None, log: Log
) -> None:
    """It is answered, logged and counted as all others are."""
    labels = {"method": method, "route": "none", "status": "204"}
    counted = times_counted(labels)
    query = f"after={encode(BEFORE, NEWEST)}"
    sent = (b"x-request-id", b"request-42")
    status, headers = answer(sent, method=method, path="/feed/new", query=query)
    said = dict(headers)
    assert status == 204
    assert said[b"x-request-id"] == b"request-42"
    assert said[b"cache-control"] == b"private, no-store"
    assert b"default-src 'none'" in said[b"content-security-policy"]
    (line,) = log()
    assert (line["path"], line["status"]) == ("/feed/new", 204)
    assert line["request_id"] == "request-42"
    assert times_counted(labels) == counted + 1


def times_counted(labels: dict[str, str]) -> float:
    # Not by the registry, where others look into the database.
    [requests] = REQUESTS.collect()
    return sum(
        each.value
        for each in requests.samples
        if each.name.endswith("_count") and each.labels == labels
    )


def test_what_was_known_when_a_poll_came_is_not_asked_for_while_it_is_answered(
    known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=iter([0, 3600]).__next__)
    monkeypatch.setattr(feed, "_newest", feed._Newest(NEWEST, looked_at=0))
    monkeypatch.setattr(feed, "LOOK_EVERY", 60)
    monkeypatch.setattr(feed, "time", clock)
    status, _ = answer(path="/feed/new", query=f"after={encode(BEFORE, NEWEST)}")
    assert status == 204


def test_another_host_is_refused_without_a_thread_too(known: None) -> None:
    query = f"after={encode(BEFORE, NEWEST)}"
    status, _ = answer(path="/feed/new", query=query, host=b"evil.example")
    assert status == 400


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/health/live", f"after={encode(BEFORE, NEWEST)}"),
        ("POST", "/feed/new", f"after={encode(BEFORE, NEWEST)}"),
        ("GET", "/feed/new", f"after={encode(BEFORE, OLDER)}"),
        ("GET", "/feed/new", f"before={encode(BEFORE, NEWEST)}"),
        ("GET", "/feed/new", f"after={encode(BEFORE, NEWEST)}&" + "x=&" * 2000),
        ("GET", "/feed/new", "after=nowhere"),
        ("GET", "/feed/new", "after="),
        ("GET", "/feed/new", ""),
    ],
)
def test_what_may_find_something_or_is_none_takes_a_thread(
    method: str, path: str, query: str, known: None
) -> None:
    with pytest.raises(ThreadTaken):
        answer(method=method, path=path, query=query)


def test_the_event_loop_never_looks_which_post_is_the_newest(
    known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_newest", feed._Newest(NEWEST))
    with pytest.raises(ThreadTaken):
        answer(path="/feed/new", query=f"after={encode(BEFORE, NEWEST)}")


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
