"""The service as uvicorn runs it, and clients that do not speak as they should."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from dev.assertions import wait_until
from innotter_contracts.logs import configure_logs
from innotter_contracts.problems import MEDIA_TYPE
from innotter_contracts.tests.signing import ISSUER
from innotter_stats.api import create_app
from innotter_stats.middleware import MAX_UNREAD_BODY
from innotter_stats.settings import Settings
from innotter_stats.tests.conftest import Core

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def port(
    core: Core,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[int]:
    monkeypatch.setattr("innotter_stats.server.HEAD_TIMEOUT", 0.5)
    monkeypatch.setattr("innotter_stats.middleware.BODY_TIMEOUT", 0.2)
    config = Settings(core_url=ISSUER, jwks_url=core.url, statistics_table=table)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            port=0,
            http="innotter_stats.server:Protocol",
            log_config=None,
            access_log=False,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        yield one


def answer(one: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer; its headers by their lower-case names."""
    with one.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := stream.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, stream.read(int(headers.get("content-length", 0)))


def is_closed(one: socket.socket) -> bool:
    """Waits for it; the timeout is the socket's."""
    try:
        return one.recv(1) == b""
    except ConnectionError:
        return True


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nonsense", "no host", "two hosts", "length", "chunk"],
)
def test_what_is_no_http_is_a_problem_and_one_line_of_information(
    port: int, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    configure_logs(service="stats", style="json")
    with connection(port) as one:
        one.sendall(sent)
        status, headers, body = answer(one)
        assert (status, headers["content-type"], headers["connection"]) == (
            400,
            MEDIA_TYPE,
            "close",
        )
        assert json.loads(body)["code"] == "malformed"
        assert is_closed(one)
    said = [line for line in lines(capsys) if line["event"] != "request"]
    assert [line["level"] for line in said] == ["info"]
    assert "exception" not in said[0]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "target_too_long"),
        (f"GET /?{'x' * 9_000} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "target_too_long"),
        (
            f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 33_000}\r\n\r\n",
            431,
            "headers_too_large",
        ),
    ],
)
def test_what_is_too_long_is_a_problem(port: int, sent: str, status: int, code: str) -> None:
    with connection(port) as one:
        one.sendall(sent.encode())
        found, headers, body = answer(one)
        assert (found, headers["content-type"]) == (status, MEDIA_TYPE)
        assert json.loads(body)["code"] == code


def test_an_unknown_host_is_one_line_of_information(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(service="stats", style="json")
    with connection(port) as one:
        one.sendall(GET.replace(b"localhost", b"evil.example"))
        assert answer(one)[0] == 400
    wait_until(lambda: bool(said := lines(capsys)) and _is_one_refusal(said))


def _is_one_refusal(said: list[dict[str, Any]]) -> bool:
    assert [(line["event"], line["level"], line["status"]) for line in said] == [
        ("request", "info", 400)
    ]
    return True


@pytest.mark.parametrize(
    "head", ["Content-Length: 5000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_short_body_is_read_and_the_connection_lives(port: int, head: str) -> None:
    body = b"x" * 5000 if "Length" in head else b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"
    with connection(port) as one:
        one.sendall(f"POST /health/live HTTP/1.1\r\nHost: localhost\r\n{head}".encode() + body)
        status, headers, _ = answer(one)
        assert (status, headers.get("connection")) == (405, None)
        one.sendall(GET)
        assert answer(one)[0] == 200


def test_an_answer_before_the_end_of_a_body_says_that_the_connection_ends(port: int) -> None:
    with connection(port) as one:
        length = 10 * MAX_UNREAD_BODY
        head = f"POST /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        one.sendall(head.encode() + b"x" * (2 * MAX_UNREAD_BODY))
        status, headers, _ = answer(one)
        assert (status, headers["connection"]) == (405, "close")
        assert is_closed(one)


def test_a_body_that_does_not_come_is_not_waited_for(port: int) -> None:
    with connection(port) as one:
        one.sendall(b"POST /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        status, headers, _ = answer(one)
        assert (status, headers["connection"]) == (405, "close")
        assert is_closed(one)


@pytest.mark.parametrize("sent", [b"", b"GET /health", GET + b"GET /health"])
def test_a_request_that_does_not_come_is_hung_up_on(port: int, sent: bytes) -> None:
    with connection(port) as one:
        one.sendall(sent)
        if sent.startswith(GET):
            assert answer(one)[0] == 200
        assert is_closed(one)


def test_others_are_answered_while_many_are_slow(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(300)]
    try:
        for n, one in enumerate(slow):
            one.sendall((b"", b"GET /he", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n")[n % 3])
        with connection(port) as one:
            one.sendall(GET)
            assert answer(one)[0] == 200
        assert all(is_closed(one) for one in slow)
    finally:
        for one in slow:
            one.close()
