"""The OpenAPI document names exactly the refusals that the table of the rules and bad input have
shown, each with an example."""

from http import HTTPStatus
from typing import Any

import jsonschema
import pytest
from drf_spectacular.generators import SchemaGenerator

from innotter.config.tests.routes import LISTS, WITHOUT_BODY, routes
from innotter.config.tests.test_permissions import rows

# What neither of them shows: apps test it where it belongs.
ELSEWHERE = {
    "POST /auth/login/second-factor": {403},
    "POST /auth/passkey": {403},
    "POST /auth/register": {403, 409},
    "POST /invites": {409},
    "POST /registrations/{id}/approve": {409},
    "POST /auth/password-reset/confirm": {403},
    "POST /auth/email/confirm": {403, 409},
    "POST /auth/email/undo": {403, 409},
    "POST /users/me/passkeys": {403, 409},
    "POST /users/me/passkeys/options": {403, 409},
    "POST /users/me/second-factor/totp": {403, 409},
    "POST /users/me/second-factor/totp/confirm": {403},
    "PATCH /users/me": {409},
    "POST /users/me/restore": {409},
    "POST /users/me/export": {409},
    "POST /pages": {409},
    "PATCH /pages/{uuid}": {409},
    "POST /pages/{uuid}/posts": {409},
    "PUT /pages/{uuid}/tags/{tag}": {400},
    "POST /unsubscribe/{token}": {400},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # untyped there
    written: dict[str, Any] = generator().get_schema(request=None, public=True)
    return written


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, Any]:
    """By route."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def shown(route: str) -> set[int]:
    """The refusals that tests see at a route."""
    refusals = {s for row in rows() if row.call == route for s in row.statuses}
    # test_database_away.py
    refusals.add(503)
    if not route.startswith("GET ") and route not in WITHOUT_BODY:
        refusals |= {400, 413, 415}
    if not route.startswith("GET "):
        refusals.add(429)
    if route in LISTS:
        refusals.add(400)
    if "{" in route:
        refusals.add(404)
    return {status for status in refusals if status >= HTTPStatus.BAD_REQUEST}


@pytest.mark.parametrize("route", [str(route) for route in routes()])
def test_what_can_be_refused_is_in_the_document_and_nothing_else(
    operations: dict[str, Any], route: str
) -> None:
    answers = {int(status): answer for status, answer in operations[route]["responses"].items()}
    refusals = {status for status in answers if status >= HTTPStatus.BAD_REQUEST}
    assert refusals == shown(route) | ELSEWHERE.get(route, set())
    for status in refusals:
        (content,) = answers[status]["content"].values()
        examples = [example["value"] for example in content["examples"].values()]
        assert {example["status"] for example in examples} == {status}
    if "requestBody" in operations[route]:
        contents = operations[route]["requestBody"]["content"].values()
        assert all("example" in content for content in contents)


@pytest.mark.parametrize("route", [str(route) for route in routes()])
def test_each_answer_in_json_has_an_example_that_its_schema_allows(
    document: dict[str, Any], operations: dict[str, Any], route: str
) -> None:
    for status, answer in operations[route]["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if content and status.startswith("2"):
            schema = {**content["schema"], "components": document["components"]}
            jsonschema.validate(content["example"], schema, jsonschema.Draft202012Validator)
