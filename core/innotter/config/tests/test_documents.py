"""The OpenAPI document names exactly the refusals that the table of the rules and bad input have
shown, each with an example."""

from http import HTTPStatus
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from innotter.config.tests.routes import LISTS, WITHOUT_BODY, files, routes
from innotter.config.tests.test_permissions import rows

# What neither of them shows: rooms test it where it belongs.
ELSEWHERE = {
    "POST /auth/register": {409},
    "PATCH /users/me": {409},
    "POST /pages": {409},
    "PATCH /pages/{uuid}": {409},
    "POST /pages/{uuid}/posts": {409},
    "PUT /pages/{uuid}/tags/{tag}": {400},
    "POST /unsubscribe/{token}": {400},
    "POST /mail/feedback": {503},
}


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    """By route."""
    generator: Any = SchemaGenerator  # untyped there
    document = generator().get_schema(request=None, public=True)
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }


def shown(route: str) -> set[int]:
    """The refusals that tests see at a route."""
    refusals = {status for row in rows() if row.call == route for status in row.statuses}
    if not route.startswith("GET ") and route not in WITHOUT_BODY:
        refusals |= {400, 413, 415}
    if not route.startswith("GET "):
        refusals.add(429)
    if route in files():
        refusals.add(503)
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
