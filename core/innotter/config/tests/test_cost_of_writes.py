"""What a write costs: a request asks so many statements of PostgreSQL, all of them counted but
those that begin and end transactions and savepoints. The first reads the caller, the second counts
the write for its limit, the third locks what is written to."""

from collections.abc import Callable
from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import Api, make_follower, new_page, new_post, statements
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import create_post

SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def cost(request: Callable[[], Any], status: int) -> int:
    with statements() as sent:
        assert request().status_code == status
    return number(sent)


def number(sent: list[tuple[str, Any]]) -> int:
    return sum(not sql.startswith(SAVEPOINTS) for sql, _ in sent)


def test_a_like_and_its_end_take_four_statements(api: Api, eve: User, post: Post) -> None:
    path = f"/posts/{post.id}/like"
    for _ in range(2):
        assert cost(lambda: api(eve).post(path), 200) == 4
    for _ in range(2):
        assert cost(lambda: api(eve).delete(path), 200) == 4


def test_a_private_page_asks_who_follows_it(api: Api, eve: User, private_page: Page) -> None:
    make_follower(eve, private_page)
    path = f"/posts/{new_post(private_page).id}/like"
    assert cost(lambda: api(eve).post(path), 200) == 5
    assert cost(lambda: api(eve).delete(path), 200) == 5


@pytest.mark.parametrize("is_private", [False, True])
def test_a_follow_takes_four_statements_and_its_end_five(
    api: Api, ann: User, eve: User, is_private: bool
) -> None:
    new_page(ann, uuid="other", is_private=is_private)
    assert cost(lambda: api(eve).post("/pages/other/follow"), 200) == 4
    # What is there already is looked up.
    assert cost(lambda: api(eve).post("/pages/other/follow"), 200) == 5
    assert cost(lambda: api(eve).delete("/pages/other/follow"), 204) == 5
    assert cost(lambda: api(eve).delete("/pages/other/follow"), 204) == 4


def test_a_post_takes_four_statements_and_a_reply_five(
    api: Api, ann: User, page: Page, post: Post
) -> None:
    def write(**words: Any) -> Any:
        return api(ann).post("/pages/ann/posts", {"content": "Hello", **words})

    assert cost(write, 201) == 4
    assert cost(lambda: write(reply_to=str(post.id)), 201) == 5


def test_an_idempotency_key_takes_one_more(ann: User, page: Page) -> None:
    for _ in range(2):
        with statements() as sent:
            create_post(actor=ann, page="ann", content="Hello", idempotency_key="one")
        # By the service itself, which reads no caller.
        assert number(sent) == 3 + 1
