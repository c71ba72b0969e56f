"""What lists cost: they ask no more of the database when there is more to show."""

import random
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.accounts.selectors import PRIVATE
from innotter.common.pagination import AFTER, BEFORE, Window, encode
from innotter.config.tests.account_rows import OF_MODERATORS, add_account_rows
from innotter.config.tests.routes import LISTS, NEEDED
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    make_follower,
    new_page,
    new_post,
    new_user,
    statements,
)
from innotter.feed.tests.test_cost import plan_of, rows_read
from innotter.pages.follows import follow
from innotter.pages.models import Follow, Page
from innotter.pages.selectors import followed_pages, followers_of
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
    "/pages/ann/followers": 2,
    "/pages/bob-private/follow-requests": 2,
    "/pages": 2,
    "/posts/{id}": 2,
    "/posts/{id}/replies": 2,
    "/users/me/likes": 2,
    "/users/me/follows": 2,
    "/users/bob": 2,
    "/search?q=ann": 2,
}


@pytest.mark.parametrize("path", STATEMENTS)
def test_a_read_asks_no_more_than_it_must(api: Api, bob: User, post: Post, path: str) -> None:
    like(actor=bob, post=new_post(post.page, reply_to=post))
    make_follower(bob, post.page)
    follow(actor=new_user("dora"), page=new_page(bob, uuid="bob-private", is_private=True))
    caller = api(bob)
    with CaptureQueriesContext(connection) as queries:
        assert caller.get(path.format(id=post.id)).status_code == 200
    assert len(queries) == STATEMENTS[path]
    # Nor what is nobody else's, after the caller's own row.
    private = {f'"accounts_user"."{column}"' for column in PRIVATE}
    assert not any(
        column in query["sql"] for query in queries.captured_queries[1:] for column in private
    )


def test_of_many_follows_a_list_looks_at_those_it_shows(ann: User, bob: User) -> None:
    """Of the followers of a page with many, and the pages of a user who follows many."""
    people = User.objects.bulk_create(User(username=f"user-{n}", title="x") for n in range(300))
    pages = Page.objects.bulk_create(Page(owner=ann, name="x") for _ in range(200))
    pairs = [(user, pages[(n + 7 * k) % 199]) for n, user in enumerate(people) for k in range(24)]
    pairs += [(user, pages[199]) for user in people] + [(bob, page) for page in pages]
    # As people come: what is one's doesn't lie together.
    random.Random(1).shuffle(pairs)
    follows = Follow.objects.bulk_create(
        Follow(user=user, page=page, accepted_at=page.created_at) for user, page in pairs
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    middle = follows[len(follows) // 2].id
    for place in (None, encode(AFTER, middle), encode(BEFORE, middle)):
        window = Window(20, place)
        for read in (partial(followers_of, pages[199].uuid, ann), partial(followed_pages, bob)):
            with statements() as sent:
                assert len(read(window)) == 20
            [plan] = [plan_of(*each) for each in sent]
            # To choose them, to show them, and to say that the viewer follows a page.
            assert 0 < sum(rows_read(plan, Follow._meta.db_table)) <= 3 * 21
