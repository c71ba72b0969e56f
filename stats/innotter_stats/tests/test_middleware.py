import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from innotter_contracts.ids import new_id
from innotter_contracts.logs import configure_logs
from innotter_contracts.problems import MEDIA_TYPE
from innotter_contracts.tests.signing import ISSUER, Signer, refused_headers
from innotter_stats.errors import handle_errors
from innotter_stats.keys import KeyCache
from innotter_stats.middleware import JWTMiddleware, RequestLogMiddleware
from innotter_stats.store import StoreUnavailable
from innotter_stats.tests.conftest import Client, Core, serving

BLOCKED = new_id()
IN_DOUBT = new_id()


def is_blocked(user: UUID) -> bool:
    if user == IN_DOUBT:
        raise StoreUnavailable
    return user == BLOCKED


def app(keys_url: str) -> FastAPI:
    keys = KeyCache(keys_url)
    app = FastAPI(lifespan=lambda _: keys.kept_fresh())
    handle_errors(app)
    app.add_middleware(JWTMiddleware, keys=keys, issuer=ISSUER, is_blocked=is_blocked)
    app.add_middleware(RequestLogMiddleware)

    @app.get("/whoami")
    def whoami(request: Request) -> dict[str, str | None]:
        claims = request.state.claims
        return {"user": str(claims.sub) if claims else None}

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/late-bug")
    def late_bug() -> StreamingResponse:
        def body() -> Iterator[bytes]:
            yield b"so far "
            raise RuntimeError("too late")

        return StreamingResponse(body())

    return app


@pytest.fixture
def client(core: Core) -> Iterator[Client]:
    with serving(app(core.url)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- Who is calling


def test_without_a_token_the_caller_is_a_stranger(client: Client) -> None:
    assert client.get("/whoami").json() == {"user": None}


def test_a_good_token_names_the_caller(client: Client, core: Core) -> None:
    user = new_id()
    answer = client.get("/whoami", headers=bearer(core.signer.token(user)))
    assert answer.json() == {"user": str(user)}


# By what is wrong with each: the same as the core's tests send.
WRONG = list(refused_headers(Signer()))


@pytest.mark.parametrize("what", WRONG)
def test_any_other_authorization_is_401_on_public_endpoints_too(
    client: Client, core: Core, what: str
) -> None:
    header = refused_headers(core.signer)[what].encode("latin-1")
    for path in ("/whoami", "/nowhere"):
        assert_invalid_token(client.get(path, headers={"Authorization": header}))


def test_two_authorization_headers_are_401(client: Client, core: Core) -> None:
    token = f"Bearer {core.signer.token()}"
    headers = [("Authorization", token), ("Authorization", token)]
    assert_invalid_token(client.get("/whoami", headers=headers))


def assert_invalid_token(answer: Any) -> None:
    assert answer.status_code == 401
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json()["code"] == "invalid_token"
    assert answer.headers["x-request-id"]


def test_without_the_cores_keys_tokens_are_503_and_strangers_served() -> None:
    with serving(app("http://127.0.0.1:9/jwks.json")) as client:
        answer = client.get("/whoami", headers=bearer(Signer().token()))
        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        assert answer.headers["retry-after"]
        assert client.get("/whoami").status_code == 200


def test_a_blocked_user_is_refused_on_public_endpoints_too(client: Client, core: Core) -> None:
    for path in ("/whoami", "/nowhere"):
        answer = client.get(path, headers=bearer(core.signer.token(BLOCKED)))
        assert (answer.status_code, answer.json()["code"]) == (401, "user_blocked")
        assert "www-authenticate" in answer.headers


def test_while_nobody_can_tell_who_is_blocked_tokens_are_503(client: Client, core: Core) -> None:
    answer = client.get("/whoami", headers=bearer(core.signer.token(IN_DOUBT)))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


# --- The log


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    parsed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in parsed if line["logger"].startswith("innotter_stats")]


def test_each_request_is_one_line(
    capsys: pytest.CaptureFixture[str], client: Client, core: Core
) -> None:
    configure_logs(service="stats", style="json")
    user = new_id()
    client.get(
        "/whoami?secret=1",
        headers={**bearer(core.signer.token(user)), "X-Request-ID": "request-0001"},
    )
    (line,) = lines(capsys)
    assert line.pop("duration_ms") > 0
    assert {name: line[name] for name in ("event", "method", "path", "status", "user")} == {
        "event": "request",
        "method": "GET",
        "path": "/whoami",
        "status": 200,
        "user": str(user),
    }
    assert line["request_id"] == "request-0001"


def test_a_request_id_is_echoed_or_made(client: Client) -> None:
    given = client.get("/whoami", headers={"X-Request-ID": "request-0001"})
    assert given.headers["x-request-id"] == "request-0001"
    made = client.get("/whoami", headers={"X-Request-ID": "?"})
    assert made.headers["x-request-id"] not in ("", "?")


def test_a_refused_request_is_logged_too(
    capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    configure_logs(service="stats", style="json")
    answer = client.get("/whoami", headers=bearer("garbage"))
    (line,) = [line for line in lines(capsys) if line["event"] == "request"]
    assert (line["status"], line["user"]) == (401, None)
    assert line["request_id"] == answer.headers["x-request-id"]


def test_a_bug_is_a_500_that_shows_nothing_and_a_log_line_that_shows_all(
    capsys: pytest.CaptureFixture[str], client: Client
) -> None:
    configure_logs(service="stats", style="json")
    answer = client.get("/bug")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Internal server error.",
        "code": "internal",
    }
    bug, request = lines(capsys)
    assert "hunter2" in bug["exception"]
    assert request["status"] == 500
    assert bug["request_id"] == request["request_id"] == answer.headers["x-request-id"]


def test_an_answer_that_has_begun_is_broken_off(client: Client) -> None:
    with pytest.raises(RuntimeError, match="too late"):
        client.get("/late-bug")
