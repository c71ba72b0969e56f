"""What holds for every route of the URLconf: caches and methods."""

import json
from typing import Any

import pytest
from django.test import Client

from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.config.tests.account_rows import add_account_rows
from innotter.config.tests.routes import NEEDED, Route, bodies, files, routes
from innotter.conftest import CLIENT, PASSWORD, Caller, new_page, new_post, new_user
from innotter.mail.tokens import unsubscribe_token
from innotter.pages.follows import follow

READING = [route for route in routes() if route.method == "GET"]
# They describe the API.
DESCRIPTIONS = [Route("GET", "/schema"), Route("GET", "/docs")]


@pytest.fixture
def ann(db: None) -> User:
    """An admin: no call is closed to her."""
    return new_user("ann", role=User.Role.ADMIN)


@pytest.fixture
def values(ann: User) -> dict[str, str]:
    """What the paths name, and a refresh token."""
    page = new_page(ann, uuid="page", tags=["all"])
    follow(actor=new_user("target"), page=page)
    token = unsubscribe_token(ann.id, page.id)
    add_account_rows(ann, "some-code")
    names = {"uuid": "page", "username": "target", "tag": "all", "token": token}
    names |= {"id": str(new_post(page).id), "code": "some-code"}
    return {**names, "refresh": log_in(login="target", password=PASSWORD, client=CLIENT).refresh}


def call(route: Route, values: dict[str, str], user: User | None, method: str = "") -> Any:
    path = f"/api/v1{route.path.format(**values)}"
    headers = {"Authorization": f"Bearer {mint_access_token(user)}"} if user else {}
    client = Client(headers=headers)
    if route.method == "GET":
        return client.generic(method or "GET", path, query_params=NEEDED.get(str(route)))
    if str(route) in files():
        return Caller(user).upload(route.path.format(**values), files()[str(route)])
    body = bodies(refresh=values["refresh"]).get(str(route))
    content = "" if body is None else json.dumps(body)
    return client.generic(route.method, path, content, "application/json")


# Caches


@pytest.mark.parametrize("route", routes(), ids=str)
def test_no_cache_keeps_what_depends_on_its_caller(
    route: Route, ann: User, values: dict[str, str]
) -> None:
    for user in (ann, None):
        answer = call(route, values, user)
        assert "authorization" in answer["Vary"].lower()
        public = user is None and route.method == "GET" and answer.status_code == 200
        if not public or "unsubscribe" in route.path:
            assert answer["Cache-Control"] == "no-store", (user, answer.status_code)
        else:
            assert "Cache-Control" not in answer


@pytest.mark.parametrize(
    ("path", "token"), [("/nothing", None), ("/pages/nothing", None), ("/feed", "Bearer x")]
)
def test_no_cache_keeps_a_refusal(db: None, path: str, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    answer = Client().get(f"/api/v1{path}", headers=headers)
    assert answer.status_code in (401, 404)
    assert answer["Cache-Control"] == "no-store"
    assert "authorization" in answer["Vary"].lower()


# Methods


@pytest.mark.parametrize("route", [*READING, *DESCRIPTIONS], ids=str)
def test_head_goes_wherever_get_goes(route: Route, ann: User, values: dict[str, str]) -> None:
    for user in (ann, None):
        get, head = call(route, values, user), call(route, values, user, "HEAD")
        assert head.status_code == get.status_code
        assert head.headers.keys() == get.headers.keys()
        assert head.content == b""


@pytest.mark.parametrize(
    "path", sorted({route.path for route in [*routes(), *DESCRIPTIONS]}), ids=str
)
def test_allow_names_the_methods_that_are_answered_and_no_other(
    path: str, ann: User, values: dict[str, str]
) -> None:
    answered = {r.method for r in [*routes(), *DESCRIPTIONS] if r.path == path}
    if "GET" in answered:
        answered.add("HEAD")
    client = Client(headers={"Authorization": f"Bearer {mint_access_token(ann)}"})
    for method in ("OPTIONS", "TRACE", "MADEUP"):
        answer = client.generic(method, f"/api/v1{path.format(**values)}")
        assert answer.status_code == 405
        assert set(answer["Allow"].split(", ")) == answered
