"""Nobody becomes an admin, or anything else, by sending a field: through every endpoint that
takes a body, as the URLconf has them."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.config.tests.routes import (
    SIGNED,
    UNPROVEN,
    Route,
    admission_names,
    bodies,
    links_of,
    make_invitation,
    make_registration,
    routes,
)
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    counted_models,
    new_page,
    new_post,
    new_user,
    rolled_back,
)
from innotter.pages.follows import follow

SOMEBODY = "01900000-0000-7000-8000-000000000000"
FOREIGN: dict[str, Any] = {
    "id": SOMEBODY,
    "pk": SOMEBODY,
    "role": "admin",
    "is_blocked": True,
    "is_staff": True,
    "is_superuser": True,
    "is_active": False,
    "blocked_for_good": True,
    "unblock_date": "2099-01-01T00:00:00Z",
    "user": SOMEBODY,
    "user_id": SOMEBODY,
    "owner": "target",
    "owner_id": SOMEBODY,
    "page": SOMEBODY,
    "page_id": SOMEBODY,
    "author": SOMEBODY,
    "image": "stolen",
    "image_id": "stolen",
    "followers_count": 777,
    "posts_count": 777,
    "likes_count": 777,
    "replies_count": 777,
    "viewer": {"is_owner": True},
    "accepted_at": "2001-01-01T00:00:00Z",
    "created_at": "2001-01-01T00:00:00Z",
    "updated_at": "2001-01-01T00:00:00Z",
    "last_login": "2001-01-01T00:00:00Z",
    "session_id": SOMEBODY,
    "family": SOMEBODY,
    "expires_at": "2099-01-01T00:00:00Z",
}
WRITERS = [route for route in routes() if str(route) in bodies(refresh="").keys() - SIGNED]


@pytest.fixture
def ann(db: None) -> User:
    """An admin with a page of her own: no call is closed to her."""
    return new_user("ann", role=User.Role.ADMIN)


@pytest.fixture
def values(ann: User) -> dict[str, str]:
    """What the paths name."""
    page = new_page(ann, uuid="page", is_private=True)
    follow(actor=new_user("requester"), page=page)
    new_user("target")
    make_invitation(ann)
    make_registration()
    return {"uuid": "page", "id": str(new_post(page).id), "username": "target"}


@pytest.mark.parametrize("route", WRITERS, ids=str)
def test_a_field_that_is_not_asked_for_changes_nothing(
    route: Route, ann: User, values: dict[str, str]
) -> None:
    body = bodies(
        refresh=log_in(login="target", password=PASSWORD, client=CLIENT).refresh,
        links=links_of(User.objects.get(username="target")),
    )[str(route)]
    foreign = {name: value for name, value in FOREIGN.items() if name not in body}
    known = ids()
    plain = done(route, values, ann, body, known)
    with_foreign = done(route, values, ann, {**foreign, **body}, known)
    assert plain[0] in {200, 201, 202, 204, 409, UNPROVEN.get(str(route))}
    assert with_foreign == plain


def done(
    route: Route, values: dict[str, str], user: User, body: dict[str, Any], known: set[Any]
) -> tuple[int, list[str]]:
    """The status and all rows after the call, which is then taken back."""
    with rolled_back():
        answer = Client().generic(
            route.method,
            f"/api/v1{route.path.format(**{**values, **admission_names(route.path)})}",
            json.dumps(body),
            "application/json",
            headers={"Authorization": f"Bearer {mint_access_token(user)}"},
        )
        rows = sorted(
            f"{model} {comparable(row, known)}"
            for model, rows in all_values().items()
            for row in rows
        )
    return answer.status_code, rows


def comparable(row: dict[str, Any], known: set[Any]) -> dict[str, Any]:
    """Without what is new each time: ids, moments of now, hashes; but with those of the foreign."""
    return {name: settled(name, value, known) for name, value in row.items()}


def settled(name: str, value: Any, known: set[Any]) -> Any:
    if name == "revision" and value > 10**12:
        value = "now, in milliseconds"
    given = value in known or str(value) == SOMEBODY if isinstance(value, UUID | str) else False
    match value:
        case dict():
            return {key: settled(key, inner, known) for key, inner in value.items()}
        case datetime() if value not in known and value.year not in (2001, 2099):
            return "now"
        # The int is that of a row which joins two others.
        case UUID() | int() if not given and (isinstance(value, UUID) or name == "id"):
            return "new"
        case str() | bytes() | memoryview() if name in ("digest", "password", "secret", "code"):
            return "a hash"
        case str() if name in ("id", "occurred_at", "request_id", "post_id", "page_id"):
            return value if given else "new"
    return value


def ids() -> set[Any]:
    """All values that are there before the call."""
    values = {
        value
        for rows in all_values().values()
        for row in rows
        for value in row.values()
        if isinstance(value, UUID | datetime)
    }
    # In the body of an event they are text.
    return values | set(map(str, values))


def all_values() -> dict[str, list[dict[str, Any]]]:
    """The rows of the core, by the name of the model, as Python has them."""
    return {m._meta.label: list(m._default_manager.values()) for m in counted_models()}
