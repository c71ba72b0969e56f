"""Input from hell through every endpoint: a refusal that says why, never a 500, and nothing stored.

They are those of the URLconf: a new one fails here until routes.py has an example of its body.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from dev.assertions import assert_table
from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.config.tests import routes as routes_py
from innotter.config.tests.routes import (
    LISTS,
    NEEDED,
    SIGNED,
    UNPROVEN,
    WITHOUT_BODY,
    Route,
    bodies,
    files,
    links_of,
    make_invitation,
    make_registration,
    routes,
)
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Caller,
    all_rows,
    bad_fields,
    new_page,
    new_post,
    new_user,
    refusal,
    rolled_back,
)
from innotter.mail.tokens import unsubscribe_token
from innotter.moderation.services import block_page
from innotter.pages.follows import follow

WRITING = [route for route in routes() if route.method != "GET"]
WITH_FILE = [route for route in WRITING if str(route) in files()]
WITH_BODY = [route for route in WRITING if str(route) not in {*WITHOUT_BODY, *SIGNED, *files()}]

# In JSON; of any field of any body.
BAD_VALUES = {
    "NUL": r'"a\u0000b"',
    "half a pair": r'"\ud800"',
    "too long": json.dumps("x" * 100_000),
    "a list": "[[]]",
    "an object": '{"a": [1]}',
    "below zero": "-1",
    "a fraction": "0.5",
    "a huge number": "9" * 4000,
    "a number that Python refuses to read": "9" * 5000,
    "more than a float holds": "1e999",
}
BAD_BODIES = {
    "no JSON": b"{",
    "no UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "NUL": b"\0",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"1",
    "true": b"true",
    "not a number": b'{"a": NaN}',
    "deep lists": b"[" * 50_000,
    "deep objects": b'{"a":' * 40_000,
    "deep and whole": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
}
OTHER_TYPES = ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json"]
MEGABYTES = b'{"content": "' + b"x" * 10_000_000 + b'"}'
WRONG_NAMES = ["%00", "a%00b", "%ED%A0%80", "%FF", "a%0A", "%20", "x" * 300, "%D1%81", "%E2%84%AA"]
BAD_LIMITS = ["-1", "abc", "0", "101", "", "1.0", "9" * 5000, "\u0663", "a\0"]
BAD_CURSORS = ["bg", "", "x", "bmE=", "b!mE", "bmE\0", "_" * 999, "\u0663", "bgA"]


@pytest.fixture
def ann(db: None) -> User:
    """An admin with pages of her own: no call is closed to her, and so each looks at its input."""
    return new_user("ann", role=User.Role.ADMIN)


@pytest.fixture
def values(ann: User) -> dict[str, str]:
    """What the paths name: Ann's page, where somebody waits, a post on it, and somebody else."""
    page = new_page(ann, uuid="page", name="A page", tags=["all"], is_private=True)
    follow(actor=new_user("requester"), page=page)
    target = new_user("target")
    post = new_post(page)
    block_page(actor=ann, page=new_page(target), until=None)
    token = unsubscribe_token(ann.id, page.id)
    names = {"uuid": page.uuid, "username": "target", "tag": "all", "token": token}
    make_registration()
    return {"id": str(post.id), "code": make_invitation(ann).code, **names}


@pytest.fixture
def examples(values: dict[str, str]) -> dict[str, dict[str, Any]]:
    return bodies(
        refresh=log_in(login="target", password=PASSWORD, client=CLIENT).refresh,
        links=links_of(User.objects.get(username="target")),
    )


def test_every_route_that_writes_has_an_example_of_its_body(
    examples: dict[str, dict[str, Any]],
) -> None:
    known = {*examples, *files(), *WITHOUT_BODY}
    assert_table("bodies(), files() or WITHOUT_BODY", routes_py.__file__, known, map(str, WRITING))


def send(
    route: Route, values: dict[str, str], user: User, body: bytes, media: str = "application/json"
) -> Any:
    path = f"/api/v1{route.path.format(**values)}"
    headers = {"Authorization": f"Bearer {mint_access_token(user)}"}
    return Client().generic(route.method, path, body, media, headers=headers)


def bad_bodies(example: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield from BAD_BODIES.items()
    for spoilt in example:
        for what, value in BAD_VALUES.items():
            fields = {name: json.dumps(known) for name, known in example.items()} | {spoilt: value}
            written = ", ".join(f'"{name}": {known}' for name, known in fields.items())
            yield f"{what} as {spoilt}", f"{{{written}}}".encode()


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_a_bad_body_is_refused(
    route: Route, ann: User, values: dict[str, str], examples: dict[str, dict[str, Any]]
) -> None:
    before = all_rows()
    for what, body in bad_bodies(examples[str(route)]):
        assert refusal(send(route, values, ann, body))[0] == 400, what
    for other in OTHER_TYPES:
        good = json.dumps(examples[str(route)]).encode()
        answer = refusal(send(route, values, ann, good, other))
        assert answer == (415, "unsupported_media_type"), other
    assert refusal(send(route, values, ann, MEGABYTES)) == (413, "too_large")
    assert all_rows() == before


@pytest.mark.parametrize("route", WITH_FILE, ids=str)
def test_a_file_is_taken_from_a_form_alone(route: Route, ann: User, values: dict[str, str]) -> None:
    before = all_rows()
    for other in ["application/json", *OTHER_TYPES]:
        answer = refusal(send(route, values, ann, files()[str(route)], other))
        assert answer == (415, "unsupported_media_type"), other
    for what, body in BAD_BODIES.items():
        answer = refusal(send(route, values, ann, body, "multipart/form-data; boundary=x"))
        assert answer[0] == 400, what
    assert all_rows() == before


@pytest.mark.parametrize("route", [r for r in WRITING if r not in WITH_FILE], ids=str)
@pytest.mark.usefixtures("admin")
def test_a_good_body_is_not(
    route: Route, ann: User, values: dict[str, str], examples: dict[str, dict[str, Any]]
) -> None:
    """Or the test above would say nothing."""
    body = json.dumps(examples[str(route)]).encode() if str(route) in examples else MEGABYTES
    others = {
        "POST /pages/{uuid}/follow": 409,
        "DELETE /pages/{uuid}/follow": 409,
        "DELETE /users/me": 202,
        "POST /users/me/export": 202,
        "PATCH /users/me": 202,
        "POST /users/me/email/resend": 202,
        "POST /auth/password-reset": 202,
        "POST /users/{username}/password-reset": 202,
        # The id is that of a post.
        "DELETE /users/me/sessions/{id}": 404,
        "POST /registrations/{id}/approve": 404,
        "POST /registrations/{id}/reject": 404,
        **dict.fromkeys(SIGNED, 403),
        **UNPROVEN,
    }
    status = send(route, values, ann, body).status_code
    assert status == others.get(str(route), status)
    assert str(route) in others or status in {200, 201, 204}


# Paths

# Takes back what is one's own, whether or not one may see the thing.
UNDO = {"DELETE /pages/{uuid}/follow"}


def spellings(post_id: str) -> list[str]:
    """Of an id, other than our own."""
    bare = post_id.replace("-", "")
    return [f"{{{post_id}}}", post_id.upper(), bare, f"urn:uuid:{post_id}", f" {post_id}", bare[1:]]


@pytest.mark.parametrize("route", [route for route in routes() if "{" in route.path], ids=str)
def test_what_is_no_name_names_nothing(
    route: Route, ann: User, values: dict[str, str], examples: dict[str, dict[str, Any]]
) -> None:
    body = json.dumps(examples.get(str(route), {})).encode()
    wrong = [*WRONG_NAMES, "nothing", "1"]
    named = next(
        name for name in ("id", "uuid", "username", "token", "code") if f"{{{name}}}" in route.path
    )
    if named == "id":
        wrong += [quote(spelling) for spelling in spellings(values["id"])]
    before = all_rows()
    for name in wrong:
        answer = send(route, {**values, named: name}, ann, body)
        if str(route) in UNDO and name in ("x" * 300, "nothing", "1"):
            # Could be a page's, and whether it is one is not told.
            assert answer.status_code == 204, name
        else:
            assert refusal(answer) == (404, "not_found"), name
    assert all_rows() == before


def test_an_id_in_a_body_has_one_spelling_too(ann: User, values: dict[str, str]) -> None:
    before = all_rows()
    for spelling in spellings(values["id"]):
        body = {"content": "Hello", "reply_to": spelling}
        assert refusal(Caller(ann).post("/pages/page/posts", body)) == (400, "invalid")
    assert all_rows() == before


# Lists


def test_every_list_is_known_as_one(ann: User, values: dict[str, str]) -> None:
    lists = {
        str(route)
        for route in routes()
        if route.method == "GET"
        for answer in [Caller(ann).get(route.path.format(**values), **NEEDED.get(str(route), {}))]
        if b'"results":' in answer.content
    }
    assert lists == set(LISTS)


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize("word", ["limit", "cursor"])
def test_a_list_takes_no_made_up_limit_or_cursor(
    ann: User, values: dict[str, str], route: str, word: str
) -> None:
    path = route.removeprefix("GET ").format(**values)
    for text in BAD_LIMITS if word == "limit" else BAD_CURSORS:
        answer = Caller(ann).get(path, **{**NEEDED.get(route, {}), word: text})
        assert refusal(answer) == (400, "invalid"), text
        assert [error["field"] for error in answer.json()["errors"]] == [word]


@pytest.mark.parametrize(
    ("route", "word"),
    [(route, word) for route, asked in LISTS.items() for word in {w: 0 for q in asked for w in q}],
)
def test_a_list_takes_no_question_that_is_no_text(
    ann: User, values: dict[str, str], route: str, word: str
) -> None:
    path = route.removeprefix("GET ").format(**values)
    for text in ("a%00b", "%00"):
        answer = Caller(ann).get(f"{path}?{word}={text}")
        assert refusal(answer) == (400, "invalid"), text
    for text in ("%ED%A0%80", "%FF", "x" * 4000):
        answer = Caller(ann).get(f"{path}?{word}={text}")
        assert answer.status_code in (200, 400), text


# What the document says of bounds


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # untyped there
    written: dict[str, Any] = generator().get_schema(request=None, public=True)
    return written


def edges(schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at and beyond what a schema bounds, and whether they fit."""
    if "maxLength" in schema and schema.get("format") != "email":
        yield "x" * schema["maxLength"], True
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1), False
    if "maxItems" in schema:
        for more in (0, 1):
            yield [f"x{n}" for n in range(schema["maxItems"] + more)], not more
    if schema.get("items", {}).get("maxLength"):
        for text, fits in edges(schema["items"]):
            yield [text], fits


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_the_document_has_the_bounds_of_the_server(
    route: Route,
    ann: User,
    values: dict[str, str],
    examples: dict[str, dict[str, Any]],
    document: dict[str, Any],
) -> None:
    operation = document["paths"][f"/api/v1{route.path}"][route.method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        schema = document["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]]
        for name, known in schema["properties"].items():
            for value, fits in edges(known):
                with rolled_back():
                    body = json.dumps({**examples[str(route)], name: value}).encode()
                    answer = send(route, values, ann, body)
                told = answer.json().get("errors", []) if answer.status_code == 400 else []
                of_bounds = [
                    error["field"]
                    for error in told
                    if error["field"].split(".")[0] == name
                    and error["code"] in ("invalid", "max_length")
                ]
                assert bool(of_bounds) != fits, f"{name}: {value!r:.40}"


@pytest.mark.parametrize("route", LISTS)
def test_what_the_document_says_is_never_empty_is_not(
    ann: User, values: dict[str, str], document: dict[str, Any], route: str
) -> None:
    path = route.removeprefix("GET ")
    asked = document["paths"][f"/api/v1{path}"]["get"]["parameters"]
    texts = [each for each in asked if each["in"] == "query" and each["name"] != "limit"]
    assert {each["name"] for each in texts} >= {"cursor"}
    for each in texts:
        assert each["schema"]["minLength"] == 1
        query = {**NEEDED.get(route, {}), each["name"]: ""}
        answer = Caller(ann).get(path.format(**values), **query)
        assert bad_fields(answer) == [each["name"]]
