"""What lists cost: they ask no more of the database when there is more to show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.config.tests.account_rows import OF_MODERATORS, add_account_rows
from innotter.config.tests.routes import LISTS, NEEDED
from innotter.conftest import CLIENT, PASSWORD, Api, make_follower, new_page, new_post, new_user
from innotter.pages.models import Page
from innotter.pages.services import follow
from innotter.posts.models import Post
from innotter.posts.services import like

# Each with each of its questions, and without one where that will do.
ASKED = [
    (route, question)
    for route, questions in LISTS.items()
    for question in [*questions, *([] if route in NEEDED else [{}])]
]


def grow(bob: User, post: Post, start: int, stop: int) -> None:
    """More of everything that a list shows or looks up, by `start` to `stop`."""
    for number in range(start, stop):
        owner = new_user(f"user-{number}")
        page = new_page(owner, uuid=f"page-{number}", tags=[f"tag-{number}", "all"])
        new_page(bob, tags=[f"own-{number}"])
        make_follower(bob, page)
        make_follower(owner, post.page)
        follow(actor=owner, page=Page.objects.get(uuid="bob-private"))
        reply = new_post(page, reply_to=post)
        new_post(post.page, reply_to=reply)
        like(actor=bob, post=reply)
        log_in(login="bob", password=PASSWORD, client=CLIENT)
        add_account_rows(bob, f"newcomer-{number}")


@pytest.mark.parametrize(("route", "question"), ASKED, ids=str)
def test_a_list_costs_the_same_number_of_queries_at_any_size(
    api: Api, bob: User, post: Post, route: str, question: dict[str, str]
) -> None:
    """As Bob, who owns the page with the requests and follows that with the posts."""
    new_page(bob, uuid="bob-private", is_private=True)
    if route in OF_MODERATORS:
        User.objects.filter(pk=bob.pk).update(role=User.Role.MODERATOR)
    uuid = "bob-private" if "follow-requests" in route else "ann"
    path = route.removeprefix("GET ").format(uuid=uuid, id=post.id, username="bob")
    counts = []
    for start, stop in ((0, 2), (2, 12)):
        grow(bob, post, start, stop)
        with CaptureQueriesContext(connection) as queries:
            rows = api(bob).get(path, **question, limit="100").json()["results"]
        assert len(rows) >= stop
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4


# The caller, with their session, and what they ask for.
STATEMENTS = {
    "/feed": 2,
    "/pages/ann": 2,
    "/pages/ann/posts": 2,
    "/pages/ann/followers": 3,
    "/pages": 2,
    "/posts/{id}": 2,
    "/posts/{id}/replies": 2,
    "/users/me/likes": 2,
    "/users/me/follows": 2,
    "/users/bob": 2,
    "/search?q=ann": 3,
}


@pytest.mark.parametrize("path", STATEMENTS)
def test_a_read_asks_no_more_than_it_must(api: Api, bob: User, post: Post, path: str) -> None:
    like(actor=bob, post=new_post(post.page, reply_to=post))
    caller = api(bob)
    with CaptureQueriesContext(connection) as queries:
        assert caller.get(path.format(id=post.id)).status_code == 200
    assert len(queries) == STATEMENTS[path]
