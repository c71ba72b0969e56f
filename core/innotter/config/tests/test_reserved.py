"""Names that nobody may take, as a username or as a page's uuid."""

from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.common.reserved import RESERVED, is_reserved
from innotter.config.environment import Environment
from innotter.config.urls import api as routes
from innotter.conftest import PASSWORD, Api, bad_fields, new_user, no_trace
from innotter.pages.models import Page

NAMES = ["support", "Security", "ROOT", "abuse", "admin", "postmaster", "no-reply", "S_U-pport"]


def register(api: Api, username: str) -> Any:
    body = {"username": username, "email": "dora@example.com", "password": PASSWORD}
    return api().post("/auth/register", body)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_takes_a_reserved_name(api: Api, ann: User, page: Page, name: str) -> None:
    with no_trace():
        for answer, field in (
            (register(api, name), "username"),
            (api(ann).post("/pages", {"name": "Ours", "uuid": name}), "uuid"),
            (api(ann).patch(f"/pages/{page.uuid}", {"uuid": name}), "uuid"),
        ):
            assert bad_fields(answer) == [field]
            assert answer.json()["errors"][0]["code"] == "reserved"


def test_who_has_a_name_that_became_reserved_keeps_it(api: Api, settings: Any, page: Page) -> None:
    dora = new_user("dora")
    settings.RESERVED_NAMES = frozenset({"Dora", page.uuid})
    login = api().post("/auth/login", {"login": "dora", "password": PASSWORD})
    assert login.status_code == 200
    assert api(dora).patch("/users/me", {"title": "Dora"}).status_code == 200
    change = {"uuid": page.uuid, "name": "Another"}
    assert api(page.owner).patch(f"/pages/{page.uuid}", change).status_code == 200
    # Another spelling of it is the same name; leaving it is for ever.
    assert bad_fields(register(api, "D.o.r.a")) == ["username"]


def test_the_operator_adds_to_the_list(api: Api, settings: Any) -> None:
    assert register(api, "harbourmaster").status_code == 201
    settings.RESERVED_NAMES = frozenset({"harbour-office"})
    assert bad_fields(register(api, "HarbourOffice")) == ["username"]


def test_nothing_is_added_by_default() -> None:
    assert Environment.model_fields["reserved_names"].default == []
    assert not is_reserved("")
    assert not is_reserved("-")


@pytest.mark.parametrize(
    "name", sorted({str(route.pattern) for route in routes if "/" not in str(route.pattern)} - {""})
)
def test_every_route_of_the_api_is_reserved(name: str) -> None:
    assert name in RESERVED
