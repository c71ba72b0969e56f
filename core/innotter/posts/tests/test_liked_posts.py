from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import Api, make_follower, new_page, new_post, refusal
from innotter.pages.follows import unfollow
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like, unlike


def liked(api: Api, user: User) -> list[str]:
    return [row["content"] for row in api(user).walk("/users/me/likes", limit=2)]


def test_the_latest_like_comes_first(api: Api, eve: User, page: Page) -> None:
    posts = [new_post(page, f"Post {number}") for number in range(5)]
    for number in (3, 0, 4, 1):
        like(actor=eve, post=posts[number])
    like(actor=page.owner, post=posts[2])
    assert liked(api, eve) == ["Post 1", "Post 4", "Post 0", "Post 3"]
    there, back = api(eve).there_and_back("/users/me/likes", limit=3)
    assert there == back
    assert there[0] == api(eve).get(f"/posts/{posts[1].id}").json()
    unlike(actor=eve, post=posts[4])
    like(actor=eve, post=posts[3])
    assert liked(api, eve) == ["Post 1", "Post 0", "Post 3"]


def test_likes_are_for_those_who_are_signed_in(api: Api, post: Post) -> None:
    assert refusal(api().get("/users/me/likes")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "hidden", [{"is_private": True}, {"blocked_for_good": True}], ids=["private", "blocked"]
)
def test_what_became_invisible_is_left_out(
    *, api: Api, ann: User, eve: User, moderator: User, page: Page, hidden: dict[str, Any]
) -> None:
    other = new_page(ann)
    for user in (ann, eve, moderator):
        like(actor=user, post=new_post(other, "Seen"))
        like(actor=user, post=new_post(page, "Hidden"))
    Page.objects.filter(pk=page.pk).update(**hidden)
    assert liked(api, eve) == ["Seen"]
    assert liked(api, ann) == liked(api, moderator) == ["Hidden", "Seen"]


def test_who_stops_following_a_private_page_loses_its_posts(
    api: Api, eve: User, private_page: Page
) -> None:
    make_follower(eve, private_page)
    like(actor=eve, post=new_post(private_page, "Hidden"))
    assert liked(api, eve) == ["Hidden"]
    unfollow(actor=eve, page=private_page)
    assert liked(api, eve) == []


def test_likes_that_come_and_go_move_nothing(api: Api, eve: User, page: Page) -> None:
    posts = [new_post(page, f"Post {number}") for number in range(8)]
    for post in posts[:6]:
        like(actor=eve, post=post)
    met: list[str] = []
    for answer in api(eve).answers("/users/me/likes", limit=2):
        if not met:
            like(actor=eve, post=posts[6])
            unlike(actor=eve, post=posts[4])
            unlike(actor=eve, post=posts[3])
        met += [row["content"] for row in answer["results"]]
    assert met == ["Post 5", "Post 4", "Post 2", "Post 1", "Post 0"]
