from typing import Any

import pytest
from django.db import connection
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import Api, Events, at_once, new_page, new_post, new_user, no_trace, refusal
from innotter.events.models import OutboxEvent
from innotter.pages.models import LONGEST_NAME, Page
from innotter.posts.models import Like, Post
from innotter_contracts.ids import new_id


def test_eve_likes_a_post_and_takes_it_back(
    api: Api, bob: User, eve: User, post: Post, events: Events
) -> None:
    path = f"/posts/{post.id}"
    assert api(bob).post(f"{path}/like").json() == {"likes_count": 1, "liked": True}
    assert api(eve).post(f"{path}/like").json() == {"likes_count": 2, "liked": True}
    assert api(eve).get(path).json()["viewer"] == {"liked": True}
    assert api().get(path).json()["viewer"] == {"liked": False}
    assert api(eve).delete(f"{path}/like").json() == {"likes_count": 1, "liked": False}
    assert api(eve).get(path).json()["viewer"] == {"liked": False}
    assert api(eve).get(path).json()["likes_count"] == 1
    assert events() == ["post.liked", "post.liked", "post.unliked"]


def test_the_event_says_who_liked_what(api: Api, eve: User, post: Post) -> None:
    api(eve).post(f"/posts/{post.id}/like")
    body = OutboxEvent.objects.get(type="post.liked").body
    assert body["actor"] == str(eve.id)
    assert body["payload"] == {
        "post_id": str(post.id),
        "page_id": str(post.page_id),
        "user_id": str(eve.id),
    }


def test_repeating_changes_nothing(api: Api, eve: User, post: Post) -> None:
    path = f"/posts/{post.id}/like"
    first = api(eve).post(path).json()
    with no_trace():
        assert api(eve).post(path).json() == first
    gone = api(eve).delete(path).json()
    with no_trace():
        assert api(eve).delete(path).json() == gone == {"likes_count": 0, "liked": False}


def test_a_like_does_not_edit_the_post(api: Api, eve: User, post: Post) -> None:
    api(eve).post(f"/posts/{post.id}/like")
    assert Post.objects.get().updated_at == post.updated_at


def test_the_owner_may_like_too(api: Api, ann: User, post: Post) -> None:
    assert api(ann).post(f"/posts/{post.id}/like").json()["likes_count"] == 1


def test_anonymous_visitors_like_nothing(api: Api, post: Post) -> None:
    with no_trace():
        assert refusal(api().post(f"/posts/{post.id}/like")) == (401, "unauthenticated")
        assert refusal(api().delete(f"/posts/{post.id}/like")) == (401, "unauthenticated")


def test_what_cannot_be_seen_cannot_be_liked(
    api: Api, bob: User, eve: User, private_page: Page, post: Post
) -> None:
    hidden = new_post(private_page)
    Page.objects.filter(pk=post.page_id).update(blocked_for_good=True)
    with no_trace():
        assert refusal(api(eve).post(f"/posts/{hidden.id}/like")) == (403, "page_private")
        assert refusal(api(eve).post(f"/posts/{post.id}/like")) == (404, "not_found")
    assert api(bob).post(f"/posts/{hidden.id}/like").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_hundred_clients_of_one_user_like_once(
    api: Api, eve: User, post: Post, events: Events
) -> None:
    answers = at_once(*[lambda: api(eve).post(f"/posts/{post.id}/like").json()] * 100)
    assert answers == [{"likes_count": 1, "liked": True}] * 100
    assert Like.objects.count() == 1
    assert events() == ["post.liked"]


@pytest.mark.django_db(transaction=True)
def test_each_of_twenty_users_sees_the_count_after_their_own_like(api: Api, post: Post) -> None:
    people = [new_user(f"user-{number}") for number in range(20)]
    path = f"/posts/{post.id}/like"
    counts = at_once(*(lambda who=who: api(who).post(path).json()["likes_count"] for who in people))
    assert sorted(counts) == list(range(1, 21))
    post.refresh_from_db()
    assert post.likes_count == Like.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_column_that_becomes_wider_refuses_one_write_of_a_connection_for_a_moment(
    eve: User, post: Post
) -> None:
    """As a migration does it while requests come. A read is tried again; in a transaction nothing
    can be."""
    client = Client(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {mint_access_token(eve)}"}
    path = f"/api/v1/posts/{post.id}/like"

    def widen(length: int) -> None:
        """By another connection: this one would forget what it has prepared."""
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE pages_page ALTER COLUMN name TYPE varchar({length})")

    assert client.post(path, headers=headers).status_code == 200
    try:
        at_once(lambda: widen(LONGEST_NAME + 1))
        with no_trace():
            answer = client.delete(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert client.delete(path, headers=headers).json() == {"likes_count": 0, "liked": False}
    finally:
        at_once(lambda: widen(LONGEST_NAME))


@pytest.mark.parametrize("state", [{"blocked_for_good": True}, {"is_private": True}])
def test_a_like_is_taken_back_without_seeing_the_post(
    api: Api, eve: User, post: Post, events: Events, state: dict[str, Any]
) -> None:
    api(eve).post(f"/posts/{post.id}/like")
    Page.objects.update(**state)
    answer = api(eve).delete(f"/posts/{post.id}/like")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Like.objects.exists()
    assert Post.objects.get().likes_count == 0
    assert events()[-1] == "post.unliked"


def test_taking_back_tells_nothing_of_a_post(api: Api, ann: User, eve: User, post: Post) -> None:
    """Whether it is hidden or gone: the same answer."""
    private = new_post(new_page(ann, is_private=True))
    Page.objects.filter(pk=post.page_id).update(blocked_for_good=True)
    with no_trace():
        for post_id in (post.id, private.id, new_id()):
            answer = api(eve).delete(f"/posts/{post_id}/like")
            assert (answer.status_code, answer.content) == (204, b"")
