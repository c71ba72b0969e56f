"""What holds for every request: its id, its line in the log, who may call, and the health."""

from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from innotter.accounts.models import User
from innotter.common.views import BaseViewSet
from innotter.conftest import Api, Log, refusal
from innotter.events.models import OutboxEvent
from innotter_contracts.logs import REQUEST_ID_HEADER


def answered_id(sent: str | None = None) -> str:
    headers = {} if sent is None else {REQUEST_ID_HEADER: sent}
    return str(Client().get("/health/live", headers=headers)[REQUEST_ID_HEADER])


def test_a_callers_request_id_comes_back() -> None:
    assert answered_id("trace-0123.abc_DEF") == "trace-0123.abc_DEF"


def test_without_one_each_request_gets_its_own() -> None:
    assert answered_id() != answered_id()


@pytest.mark.parametrize(
    "sent",
    ["short", "x" * 65, "a b c d e f", "<script>alert(1)</script>", "ключ-ключ", "%0d%0aX: y"],
)
def test_what_does_not_look_like_an_id_is_replaced(sent: str) -> None:
    assert sent not in answered_id(sent)


def test_an_error_carries_the_id_too(db: None) -> None:
    answer = Client().get("/nothing", headers={REQUEST_ID_HEADER: "request-42"})
    assert (answer.status_code, answer[REQUEST_ID_HEADER]) == (404, "request-42")


def test_the_id_travels_into_the_events_of_the_request(ann: User, api: Api) -> None:
    answer = api(ann).post("/pages", {"name": "A page"})
    event = OutboxEvent.objects.get()
    assert event.body["request_id"] == answer[REQUEST_ID_HEADER]


def test_a_request_is_one_line_that_says_who_asked_for_what(log: Log, ann: User, api: Api) -> None:
    api(ann).get("/pages", limit=1)
    api().get("/pages/nothing")
    first, second = log()
    assert (first["method"], first["path"], first["status"]) == ("GET", "/api/v1/pages", 200)
    assert first["user"] == str(ann.id)
    assert first["ms"] > 0
    assert (second["path"], second["status"], second["user"]) == (
        "/api/v1/pages/nothing",
        404,
        None,
    )


def test_the_health_checks_do_not_fill_the_log(log: Log, db: None) -> None:
    Client().get("/health/live")
    Client().get("/health/ready")
    assert log() == []


class Forgetful(BaseViewSet):
    """Names one of its two actions."""

    access: ClassVar = {"list": AllowAny}

    def list(self, request: Request) -> Response:
        return Response("open")

    def create(self, request: Request) -> Response:
        return Response("this must not be reached")


@pytest.mark.parametrize("role", ["nobody", "user", "admin"])
def test_an_action_that_nobody_named_is_closed_to_everybody(role: str) -> None:
    view = Forgetful.as_view({"get": "list", "post": "create"})
    caller: Any = AnonymousUser() if role == "nobody" else User(role=role)
    statuses = []
    for request in (APIRequestFactory().get("/"), APIRequestFactory().post("/")):
        request.user = caller
        statuses.append(view(request).status_code)
    assert statuses == [200, 401 if role == "nobody" else 403]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/.well-known/jwks.json"])
def test_public_views_answer_get_alone(path: str, db: None) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(path).status_code == 200
    answer = browser.post(path)
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


def test_a_form_without_its_csrf_token_is_a_problem_document(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/login")
    assert refusal(answer) == (403, "csrf_failed")
