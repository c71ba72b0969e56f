"""The links of every list hold, whatever happens to its rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps

from dev.assertions import assert_table
from innotter.accounts.logins import log_in
from innotter.accounts.models import Invitation, Passkey, Registration, Session, User
from innotter.common.models import Record
from innotter.config.tests.account_rows import OF_MODERATORS, add_account_rows
from innotter.config.tests.routes import LISTS, NEEDED
from innotter.conftest import CLIENT, PASSWORD, Caller, make_follower, new_page, new_post, new_user
from innotter.pages.follows import follow
from innotter.pages.models import Follow, Page, Tag
from innotter.posts.models import Like, Post
from innotter.posts.services import like

# Each list with the rows that it consists of.
ROWS = {
    "GET /feed": Post.objects.all(),
    "GET /invites": Invitation.objects.all(),
    "GET /pages": Page.objects.all(),
    "GET /pages/{uuid}/follow-requests": Follow.objects.all(),
    "GET /pages/{uuid}/followers": Follow.objects.all(),
    "GET /pages/{uuid}/posts": Post.objects.all(),
    "GET /posts/{id}/replies": Post.objects.filter(reply_to__isnull=False),
    "GET /registrations": Registration.objects.all(),
    "GET /search": Page.objects.all(),
    "GET /tags": Tag.objects.all(),
    "GET /users/me/follows": Follow.objects.all(),
    "GET /users/me/likes": Like.objects.all(),
    "GET /users/me/pages": Page.objects.all(),
    "GET /users/me/passkeys": Passkey.objects.all(),
    "GET /users/me/sessions": Session.objects.all(),
    "GET /users/{username}/pages": Page.objects.all(),
}
NOT_NEWEST_FIRST = {
    "GET /pages/{uuid}/follow-requests",
    "GET /posts/{id}/replies",
    "GET /registrations",
    "GET /search",
    "GET /tags",
}


@pytest.fixture
def caller(ann: User, page: Page) -> Caller:
    """Ann, who finds two rows or more in each list."""
    other = new_user("other")
    for number in range(2):
        new_page(ann, uuid=f"page-{number}", tags=["fog", "sea"])
        make_follower(ann, new_page(other))
        user = new_user(f"user-{number}")
        make_follower(user, page)
        # With followers and requests both, as one that has become private.
        Page.objects.filter(pk=page.pk).update(is_private=True)
        follow(actor=new_user(f"requester-{number}"), page=page)
        log_in(login="ann", password=PASSWORD, client=CLIENT)
        add_account_rows(ann, f"newcomer-{number}")
    post = new_post(page)
    for _ in range(2):
        like(actor=ann, post=new_post(page, reply_to=post))
    return Caller(ann)


@pytest.fixture(params=LISTS)
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def first(caller: Caller, page: Page, route: str) -> Any:
    """The list's first answer, of one row."""
    if route in OF_MODERATORS:
        User.objects.filter(username="ann").update(role=User.Role.MODERATOR)
    post = Post.objects.order_by("id").first()
    values = {"uuid": page.uuid, "id": post and post.id, "username": "ann"}
    path = route.removeprefix("GET ").format(**values)
    return caller.get(path, limit=1, **NEEDED.get(route, {})).json()


def test_every_list_is_here() -> None:
    assert_table("ROWS", __file__, ROWS, LISTS)


def test_a_page_whose_rows_have_gone_leads_on_and_back(
    caller: Caller, first: Any, route: str
) -> None:
    second = caller.get(first["next"]).json()
    ROWS[route].delete()
    emptied = caller.get(first["next"]).json()
    assert emptied["results"] == []
    assert emptied["previous"] == second["previous"]
    back = caller.get(emptied["previous"]).json()
    assert back["results"] == []
    # The position asked for, on the way there and on the way back.
    assert back["next"] == first["next"]


def test_the_way_back_meets_the_row_that_one_came_from(
    caller: Caller, first: Any, route: str
) -> None:
    second = caller.get(first["next"]).json()
    assert caller.get(second["previous"]).json()["results"] == first["results"]


def test_a_list_with_the_newest_first_is_polled_from_its_first_page(
    caller: Caller, first: Any, route: str
) -> None:
    if route in NOT_NEWEST_FIRST:
        assert first["previous"] is None
        return
    poll = caller.get(first["previous"]).json()
    assert poll["results"] == []
    assert poll["previous"] == first["previous"]
    assert caller.get(poll["next"]).json()["results"] == first["results"]


def test_a_new_row_was_changed_when_it_was_made(caller: Caller) -> None:
    """All that the requests of this fixture have made, but for what was saved again."""
    changed = {"Follow", "KnownDevice", "KnownIP", "Page", "Post", "Session", "RefreshToken"}
    seen = set()
    for model in records():
        rows = model._default_manager.all()
        if model.__name__ not in changed and rows:
            seen.add(model.__name__)
            assert all(row.created_at == row.updated_at for row in rows), model
    assert seen >= {"Like", "Tag", "User"}
    assert all(post.created_at == post.updated_at for post in Post.objects.all())
    page = Page.objects.bulk_create([Page(owner=User.objects.all()[0], name="A page")])[0]
    assert page.created_at == page.updated_at
    page.save()
    assert page.created_at < page.updated_at


def records() -> Iterator[type[Record]]:
    return (model for model in apps.get_models() if issubclass(model, Record))
