"""Every error is a problem document, and bad input is never a server error."""

from typing import Any

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.common import errors
from innotter.common.problems import exception_handler
from innotter.conftest import Api, Log, bad_fields, no_trace, refusal
from innotter.pages import selectors
from innotter.pages.models import Page
from innotter_contracts.logs import REQUEST_ID_HEADER

NOT_FOUND = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "Not found.",
    "code": "not_found",
}


def send(
    body: bytes | str, content_type: str = "application/json", user: User | None = None
) -> Any:
    """Creates a page, or tries to, with a body as it is."""
    headers = {"Authorization": f"Bearer {mint_access_token(user)}"} if user else {}
    return Client().generic("POST", "/api/v1/pages", body, content_type, headers=headers)


@pytest.mark.parametrize(
    "path", ["/nothing", "/api", "/api/v1", "/api/v1/", "/api/v2/pages", "/api/v1/pages/"]
)
def test_a_path_that_does_not_exist(path: str, db: None) -> None:
    answer = Client().get(path)
    assert refusal(answer) == (404, "not_found")
    assert answer.json() == NOT_FOUND


def test_the_error_of_a_view_looks_like_that_of_a_path(api: Api, db: None) -> None:
    assert api().get("/pages/nothing").json() == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/pages"), ("PUT", "/feed"), ("GET", "/auth/login"), ("OPTIONS", "/pages")],
)
def test_a_method_that_does_not_exist(method: str, path: str, db: None) -> None:
    answer = Client().generic(method, f"/api/v1{path}")
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer["Allow"]


@pytest.mark.parametrize(
    "body", ["", "{", "nonsense", '{"name": NaN}', "{'name': 'x'}", "\ufeff{}"]
)
def test_a_body_that_is_no_json(ann: User, body: str) -> None:
    with no_trace():
        answer = send(body, user=ann)
    assert answer.status_code == 400
    assert "errors" in answer.json()


def test_malformed_json_has_a_code_of_its_own(ann: User) -> None:
    assert refusal(send("{", user=ann)) == (400, "malformed")


@pytest.mark.parametrize("body", ["[]", '[{"name": "x"}]', "null", '"name"', "1", "true"])
def test_json_that_is_no_object(ann: User, body: str) -> None:
    assert refusal(send(body, user=ann))[0] == 400


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_another_content_type(ann: User, content_type: str) -> None:
    assert refusal(send('{"name": "x"}', content_type, ann)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "charset", ["utf-16", "latin-1", "idna", "zip", "bz2", "hex", "rot13", "undefined", "nonsense"]
)
def test_json_is_utf_8_whatever_charset_is_claimed(ann: User, charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    answer = send('{"name": "Привет"}', content_type, ann)
    assert answer.status_code == 201
    assert answer.json()["name"] == "Привет"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_a_body_in_another_charset_is_refused(ann: User, encoding: str) -> None:
    body = '{"name": "é"}'.encode(encoding)
    with no_trace():
        answer = send(body, f"application/json; charset={encoding}", ann)
        assert refusal(answer) == (400, "malformed")


@pytest.mark.parametrize("name", [r"a\u0000b", r"\ud800", r"\udfff tail"])
def test_text_that_the_database_cannot_hold(ann: User, name: str) -> None:
    with no_trace():
        assert bad_fields(send(f'{{"name": "{name}"}}', user=ann)) == ["name"]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_is_too_deep(ann: User, opening: str) -> None:
    assert refusal(send(opening * 50_000, user=ann)) == (400, "malformed")


@pytest.mark.parametrize("path", ["/pages/%00", "/pages/%00/posts", "/posts/%00", "/users/%00"])
def test_a_nul_in_a_path_names_nothing(api: Api, db: None, path: str) -> None:
    assert refusal(api().get(path)) == (404, "not_found")


def test_bad_input_names_every_field_down_to_the_place_in_a_list(api: Api, ann: User) -> None:
    answer = api(ann).post("/pages", {"tags": ["fine", {}], "is_private": "perhaps"})
    assert sorted(bad_fields(answer)) == ["is_private", "name", "tags.1"]


def test_a_domain_error_of_an_app_keeps_its_code() -> None:
    class Busy(errors.Conflict):
        code = "busy"
        detail = "Somebody else is at it."

    answer = exception_handler(Busy(), {})
    assert answer is not None
    assert (answer.status_code, answer.data["code"]) == (409, "busy")
    assert answer.data["detail"] == "Somebody else is at it."


def test_what_nobody_foresaw_is_logged_and_not_told(
    monkeypatch: pytest.MonkeyPatch, log: Log, db: None
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(selectors, "page_at", fail)
    client = Client(raise_request_exception=False)
    answer = client.get("/api/v1/pages/ann", headers={REQUEST_ID_HEADER: "request-42"})
    assert refusal(answer) == (500, "internal")
    assert b"secret" not in answer.content
    assert answer[REQUEST_ID_HEADER] == "request-42"
    error, request = log()
    assert error["level"] == "error"
    assert "the secret reason" in error["exception"]
    assert error["request_id"] == "request-42"
    assert (request["event"], request["status"]) == ("request", 500)


def test_a_body_that_is_too_large(ann: User) -> None:
    with no_trace():
        answer = send(b"x" * 10_000_000, user=ann)
    assert refusal(answer) == (413, "too_large")


ENDLESS: dict[str, Any] = {
    "numbers": [1] * 80_000,
    "texts": ["x" * 20] * 8_000,
    "objects": [{}] * 50_000,
    "a text": "x" * 250_000,
    "an object": {"x" * 100_000: "x" * 100_000},
    "lists": [[[["x" * 200_000]]]],
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_is_refused_is_not_given_back(api: Api, ann: User, page: Page, what: str) -> None:
    value = ENDLESS[what]
    for answer in (
        api(ann).patch("/pages/ann", {"tags": value}),
        api(ann).patch("/pages/ann", {"name": value}),
        api(ann).patch("/pages/ann", {"is_private": value}),
        api(ann).post("/pages/ann/follow-requests/accept", {"usernames": value}),
        api(ann).post("/pages/ann/posts", {"content": "x", "reply_to": value}),
        api(ann).patch("/users/me", {"language": value}),
        api(ann).patch("/users/me", {"email_notifications": value}),
    ):
        assert refusal(answer) == (400, "invalid")
        assert len(answer.content) < 3_000
        assert len(answer.json()["errors"]) == 1


def test_a_bad_list_is_told_by_its_first_faults(api: Api, ann: User, page: Page) -> None:
    answer = api(ann).post("/pages/ann/follow-requests/accept", {"usernames": [1] * 100})
    assert len(answer.json()["errors"]) == 20
