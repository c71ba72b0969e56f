"""Both services answer as their OpenAPI documents say, whatever is sent to them."""

from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dev.paths import ROOT
from dev.stack import Stack, manage
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("stack")

DOCUMENTS = ROOT / "docs" / "openapi"
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# The same cases in each run, and as many as a quick test can bear.
bounded = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

type Document = schemathesis.BaseSchema
type Case = schemathesis.Case[Any]


def document(name: str) -> Document:
    """`make check` sees to it that what lies there is what the services serve."""
    config = SchemathesisConfig.from_dict(
        {
            # The token is ours, not drawn.
            "generation": {"with-security-parameters": False},
            # Its cases cannot be bounded.
            "phases": {"coverage": {"enabled": False}},
        }
    )
    return schemathesis.openapi.from_path(DOCUMENTS / name, config=config)


@pytest.fixture(scope="module")
def ann(stack: Stack) -> Person:
    return Person.arrives(stack, "ann")


@pytest.fixture(scope="module")
def bob(stack: Stack) -> Person:
    return Person.arrives(stack, "bob")


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Person:
    admin = Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    return admin


@pytest.fixture(scope="module")
def kept(ann: Person, bob: Person) -> dict[str, str]:
    return there(ann, bob)


@document("core.json").parametrize()
@bounded
def test_the_core_answers_as_its_document_says(
    *, case: Case, stack: Stack, ann: Person, bob: Person, admin: Person, kept: dict[str, str]
) -> None:
    send(case, stack.core_url, ann)
    if case.path_parameters:
        # Once more with what is there; what may change or delete it gets its own.
        names = kept if case.method == "GET" else there(ann, bob)
        if send(at(case, names), stack.core_url, ann) == HTTPStatus.FORBIDDEN:
            # Moderation answers an admin with more than a refusal.
            send(at(case, there(ann, bob)), stack.core_url, admin)


@document("statistics.json").parametrize()
@bounded
def test_statistics_answer_as_their_document_says(
    case: Case, stack: Stack, ann: Person, kept: dict[str, str]
) -> None:
    send(case, stack.stats_url, ann)
    if case.path_parameters:
        eventually(lambda: ann.statistics(kept["uuid"]).status_code, lambda code: code == 200)
        send(at(case, kept), stack.stats_url, ann)


def send(case: Case, url: str, person: Person) -> int:
    """The status of the answer, which is as the document says."""
    headers = {"Authorization": f"Bearer {person.token}"}
    return case.call_and_validate(base_url=url, headers=headers, checks=CHECKS).status_code


def there(ann: Person, bob: Person) -> dict[str, str]:
    """A page of Ann's with a post on it, and Bob, by the names of path parameters."""
    uuid = ann.new_page(tags=["fog"])
    post = ann.post(f"/pages/{uuid}/posts", content="Fog.", expect=201)
    return {
        "uuid": uuid,
        "id": post["id"],
        "tag": "fog",
        "username": bob.name,
        "token": "none.such",
        "code": "none-such",
    }


def at(case: Case, names: dict[str, str]) -> Case:
    case.path_parameters = {name: names[name] for name in case.path_parameters}
    return case
