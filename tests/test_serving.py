"""How the core stands to what clients send and do not send, below what a client library shows."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from uuid import uuid4

import httpx
import pytest

from dev.gateway import gateway
from dev.stack import Stack
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("stack")

# Of each kind: more than the threads of all the API's processes.
MANY = 60
# Bytes that no buffer on the way takes in by itself.
MUCH = 6_000_000


def connect(url: str) -> socket.socket:
    inner = httpx.URL(url)
    return socket.create_connection((inner.host, inner.port or 80), timeout=30)


def exchange(url: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of the answer to what is sent as it is."""
    with connect(url) as connection:
        # It may be refused before all of it is sent.
        with suppress(ConnectionError):
            connection.sendall(sent)
        return answer_on(connection)


def answer_on(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with closing(connection.makefile("rb")) as file:
        status = int(file.readline().split()[1])
        lines = iter(lambda: file.readline().decode().strip(), "")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        return status, headers, file.read(int(headers.get("content-length", 0)))


def request(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines])
    return f"{head}\r\n\r\n".encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
)


# What a request says of its own way


BELIEVED_NOWHERE = [
    "SCRIPT_NAME: /api",
    "Script-Name: /api",
    "PATH_INFO: /health/live",
    "X-Script-Name: /api",
    "X-Forwarded-Prefix: /api",
    "X-Original-URL: /health/live",
    "X-Rewrite-URL: /health/live",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Protocol: ssl",
    "X-Forwarded-Ssl: on",
    "X-Forwarded-Scheme: https",
    "X-Url-Scheme: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 444",
    "X-Forwarded-Server: evil.example",
    "Forwarded: for=192.0.2.1;host=evil.example;proto=https",
    "X_Forwarded_Proto: https",
    "X-Real-IP: 192.0.2.1",
    "Remote-Addr: 192.0.2.1",
    "REMOTE_USER: ann",
    "wsgi.url_scheme: https",
]


@pytest.fixture(scope="module")
def ann(stack: Stack) -> Person:
    """Has a page, so that the list of all pages links on."""
    ann = Person.arrives(stack, "ann")
    ann.new_page()
    return ann


@pytest.mark.parametrize("header", BELIEVED_NOWHERE)
def test_no_header_changes_path_scheme_or_host(stack: Stack, ann: Person, header: str) -> None:
    for path in ("/api/v1/pages?limit=1", "/api/v1/users/me", "/api/api/v1/users/me", "/nothing"):
        status, _, content = exchange(stack.core_url, request("GET", path, header))
        plain_status, _, plain = exchange(stack.core_url, request("GET", path))
        assert (status, content) == (plain_status, plain), path


def test_a_path_below_a_made_up_root_is_no_way_round_the_token(stack: Stack) -> None:
    lines = ("SCRIPT_NAME: /x", "Authorization: Bearer nonsense")
    for path in ("/x/api/v1/pages", "/x/api/v1/users/me"):
        assert exchange(stack.core_url, request("GET", path, *lines))[0] == 404


# Bodies


def test_a_body_in_chunks_is_read(stack: Stack, ann: Person) -> None:
    token = f"Authorization: Bearer {ann.token}"
    body = chunked(b'{"title": "A new', b' title"}')
    sent = request("PATCH", "/api/v1/users/me", token, JSON, CHUNKED, body=body)
    status, _, content = exchange(stack.core_url, sent)
    assert (status, json.loads(content)["title"]) == (200, "A new title")
    assert ann.get("/users/me")["title"] == "A new title"


def test_a_picture_in_chunks_is_read(stack: Stack, ann: Person) -> None:
    form = httpx.Request("PUT", stack.core_url, files={"image": ("a.png", PIXEL)})
    content = form.read()
    answer = httpx.put(
        f"{stack.core_url}/api/v1/users/me/image",
        content=iter([content[:100], content[100:]]),
        headers={
            "Authorization": f"Bearer {ann.token}",
            "Content-Type": form.headers["Content-Type"],
        },
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["image"]


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize(
    ("method", "path", "media", "expected"),
    [
        ("POST", "/api/v1/auth/login", "application/json", 413),
        ("POST", "/api/v1/auth/login", "multipart/form-data; boundary=x", 415),
        ("POST", "/api/v1/pages", "application/json", 401),
        ("PUT", "/api/v1/users/me/image", "multipart/form-data; boundary=x", 401),
        ("PUT", "/api/v1/auth/login", "application/json", 405),
        ("POST", "/api/v1/nothing", "application/json", 404),
    ],
)
def test_after_a_refusal_the_connection_serves_the_next_request(
    stack: Stack, method: str, path: str, media: str, expected: int, framing: str
) -> None:
    """A gateway sends there what somebody else asks."""
    body = b"x" * MUCH
    how = CHUNKED if framing == "chunked" else f"Content-Length: {MUCH}"
    sent = request(method, path, f"Content-Type: {media}", how)
    with connect(stack.core_url) as connection:
        connection.sendall(sent)
        connection.sendall(chunked(body) if framing == "chunked" else body)
        status, headers, _ = answer_on(connection)
        assert status == expected
        assert "connection" not in headers
        connection.sendall(request("GET", "/health/live"))
        assert answer_on(connection)[0] == 200


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_what_is_far_too_long_is_not_read_and_says_that_the_connection_ends(
    stack: Stack, framing: str
) -> None:
    how = CHUNKED if framing == "chunked" else "Content-Length: 1000000000"
    with connect(stack.core_url) as connection:
        connection.sendall(request("POST", "/api/v1/auth/login", JSON, how))
        if framing == "chunked":
            connection.sendall(b"%x\r\n%s" % (1_000_000_000, b"x" * 10_500_000))
        status, headers, content = answer_on(connection)
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(content)["code"] == "too_large"


@pytest.mark.parametrize(
    "body",
    [b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\r\nabcdef\r\n"],
    ids=["no length", "below zero", "longer than it says"],
)
def test_nonsense_in_place_of_chunks_is_refused_and_fills_no_log(stack: Stack, body: bytes) -> None:
    before, path = len(stack.log("core")), f"/api/v1/{uuid4().hex}"
    sent = request("POST", path, JSON, CHUNKED, body=body)
    status, headers, content = exchange(stack.core_url, sent)
    assert (status, headers["connection"]) == (400, "close")
    assert json.loads(content)["code"] == "malformed"
    said = eventually(lambda: stack.log("core")[before:], lambda text: path in text)
    # The line of the request before may come late.
    own = [line for line in said.splitlines() if "innotter.request" not in line or path in line]
    assert len(own) == 1
    assert "malformed" in own[0]


# Requests that are none


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (request("GET", f"/api/v1/search?q={'x' * 70_000}"), 414),
        (request("GET", "/health/live", f"X-Long: {'x' * 500_000}"), 431),
        (request("GET", "/health/live", *(f"X-{n}: 1" for n in range(500))), 431),
        (b"nonsense\r\n\r\n", 400),
        (request("POST", "/api/v1/auth/login", "Content-Length: 3", "Content-Length: 4"), 400),
        (request("POST", "/api/v1/auth/login", "Content-Length: +3"), 400),
        (request("GET", "/health/live", "Host: evil.example"), 400),
    ],
    ids=["long line", "long header", "many headers", "nonsense", "two lengths", "+3", "two hosts"],
)
def test_what_is_no_request_is_refused_without_a_page_and_without_a_trace(
    stack: Stack, sent: bytes, expected: int
) -> None:
    before = stack.log("core").count("Traceback")
    status, headers, content = exchange(stack.core_url, sent)
    assert status == expected
    assert headers.get("content-type", "application/problem+json") == "application/problem+json"
    assert b"<" not in content
    assert stack.log("core").count("Traceback") == before


def test_a_long_question_is_none_too_many(stack: Stack) -> None:
    """Longer than browsers send."""
    status, headers, _ = exchange(
        stack.core_url, request("GET", f"/api/v1/search?q={'x' * 30_000}")
    )
    assert (status, headers["content-type"]) == (400, "application/problem+json")


# Slow clients


@contextmanager
def slow_clients(url: str) -> Iterator[None]:
    """Idle ones, some that stop in the middle of what they send, and some that read nothing."""
    long = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with ExitStack() as held:

        def hold(sent: bytes) -> None:
            connection = held.enter_context(connect(url))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(sent)

        for _ in range(MANY):
            hold(b"")
            hold(request("GET", "/health/live")[:-2])
            hold(request("POST", "/api/v1/auth/login", JSON, "Content-Length: 50", body=b'{"lo'))
            hold(request("POST", "/api/v1/auth/login", JSON, CHUNKED, body=b"5\r\n{"))
            hold(request("GET", long))
        yield


@pytest.fixture(scope="module")
def gateway_url(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(stack, tmp_path_factory.mktemp("gateway")) as url:
        yield url


def test_slow_clients_hold_up_nobody(stack: Stack, ann: Person, gateway_url: str) -> None:
    page = ann.new_page()
    headers = {"Authorization": f"Bearer {ann.token}"}
    for url in (stack.core_url, gateway_url):
        with slow_clients(url):
            for number in range(20):
                answer = httpx.post(
                    f"{url}/api/v1/pages/{page}/posts",
                    json={"content": f"Post {number}"},
                    headers=headers,
                    timeout=30,
                )
                assert answer.status_code == 201
            assert httpx.get(stack.metrics_url("core")).status_code == 200


def test_refusals_of_bodies_break_no_request_of_others_through_the_gateway(
    ann: Person, gateway_url: str
) -> None:
    """Each kind of refusal, between requests that use the gateway's connections again."""
    refused = [
        ("POST", "/api/v1/auth/login", "application/json", 413),
        ("POST", "/api/v1/auth/login", "text/plain", 415),
        ("POST", "/api/v1/pages", "application/json", 401),
        ("PUT", "/api/v1/auth/login", "application/json", 405),
        ("POST", "/api/v1/nothing", "application/json", 404),
    ]
    with httpx.Client(base_url=gateway_url, timeout=30) as client:
        for method, path, media, expected in refused * 6:
            body = b"x" * 2_000_000
            answer = client.request(method, path, content=body, headers={"Content-Type": media})
            assert answer.status_code == expected
            answer = client.patch(
                "/api/v1/users/me",
                json={"title": "Others"},
                headers={"Authorization": f"Bearer {ann.token}"},
            )
            assert answer.status_code == 200
