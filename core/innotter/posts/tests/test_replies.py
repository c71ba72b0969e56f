from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts.models import User
from innotter.common import database
from innotter.conftest import (
    Api,
    Events,
    bad_fields,
    new_page,
    new_post,
    new_user,
    no_trace,
    refusal,
)
from innotter.events.models import OutboxEvent
from innotter.pages.models import Page
from innotter.posts.models import Post


@pytest.fixture
def eves(eve: User) -> Page:
    """A page that Eve answers from."""
    return new_page(eve, uuid="eve")


def reply(api: Api, user: User, parent: Any, uuid: str = "eve") -> Any:
    return api(user).post(f"/pages/{uuid}/posts", {"content": "I disagree", "reply_to": parent})


def test_eve_answers_in_the_name_of_her_page(
    api: Api, eve: User, eves: Page, post: Post, events: Events
) -> None:
    answer = reply(api, eve, str(post.id))
    assert answer.status_code == 201
    made = answer.json()
    assert made["page"]["uuid"] == "eve"
    assert made["reply_to"] == {
        "id": str(post.id),
        "page": {"uuid": "ann", "name": "A page of ann"},
    }
    assert api().get(f"/posts/{post.id}").json()["replies_count"] == 1
    assert api().get(f"/posts/{post.id}/replies").json()["results"] == [made]
    assert events() == ["post.created"]
    payload = OutboxEvent.objects.order_by("id").last().body["payload"]  # type: ignore[union-attr]
    assert payload["reply_to"] == {"post_id": str(post.id), "page_id": str(post.page_id)}


def test_replies_are_listed_oldest_first(api: Api, eves: Page, post: Post) -> None:
    for number in range(5):
        new_post(eves, f"Reply {number}", reply_to=post)
    new_post(eves, "Something else")
    contents = [row["content"] for row in api().walk(f"/posts/{post.id}/replies", limit=2)]
    assert contents == ["Reply 0", "Reply 1", "Reply 2", "Reply 3", "Reply 4"]


def test_a_reply_may_answer_a_reply_and_a_page_itself(api: Api, ann: User, post: Post) -> None:
    first = reply(api, ann, str(post.id), "ann").json()
    second = reply(api, ann, first["id"], "ann").json()
    assert second["reply_to"]["id"] == first["id"]


def test_null_is_no_reply(api: Api, eve: User, eves: Page) -> None:
    assert reply(api, eve, None).json()["reply_to"] is None


@pytest.mark.parametrize(
    "parent", ["", "nothing", 1, {}, [], "01a20aa8-6bad-7de1-aeaa-51ca99927504"]
)
def test_what_names_no_post_cannot_be_answered(
    api: Api, eve: User, eves: Page, parent: Any
) -> None:
    with no_trace():
        assert bad_fields(reply(api, eve, parent)) == ["reply_to"]


@pytest.mark.parametrize(
    "hidden", [{"is_private": True}, {"blocked_for_good": True}], ids=["private", "blocked"]
)
def test_what_cannot_be_seen_cannot_be_answered(
    api: Api, eve: User, eves: Page, post: Post, hidden: dict[str, Any]
) -> None:
    Page.objects.filter(pk=post.page_id).update(**hidden)
    with no_trace():
        assert bad_fields(reply(api, eve, str(post.id))) == ["reply_to"]


def test_a_follower_answers_on_a_private_page(
    api: Api, bob: User, private_page: Page, ann: User
) -> None:
    new_page(bob, uuid="bob")
    post = new_post(private_page)
    assert reply(api, bob, str(post.id), "bob").json()["reply_to"]["id"] == str(post.id)
    # Who may not see the post is not told what was answered.
    (seen_by_all,) = api().get("/pages/bob/posts").json()["results"]
    assert seen_by_all["reply_to"] == {"id": None}


def test_a_reply_outlives_its_parent(api: Api, eves: Page, post: Post) -> None:
    answer = new_post(eves, reply_to=post)
    Post.objects.filter(pk=post.pk).delete()
    for row in (
        api().get(f"/posts/{answer.id}").json(),
        api().get("/pages/eve/posts").json()["results"][0],
    ):
        assert row["reply_to"] == {"id": None}
    assert refusal(api().get(f"/posts/{post.id}/replies")) == (404, "not_found")


def test_a_parent_that_became_private_is_named_to_its_followers_alone(
    *, api: Api, ann: User, bob: User, eve: User, moderator: User, eves: Page, post: Post
) -> None:
    answer = new_post(eves, reply_to=post)
    Page.objects.filter(pk=post.page_id).update(is_private=True)
    for user, named in [(ann, True), (bob, True), (moderator, True), (eve, False), (None, False)]:
        parent = api(user).get(f"/posts/{answer.id}").json()["reply_to"]
        assert parent["id"] == (str(post.id) if named else None)
        assert ("page" in parent) == named


@pytest.mark.parametrize("hidden", ["page", "owner"])
def test_a_parent_on_a_blocked_page_is_not_named(
    api: Api, eve: User, eves: Page, post: Post, hidden: str
) -> None:
    answer = new_post(eves, reply_to=post)
    if hidden == "page":
        Page.objects.filter(pk=post.page_id).update(blocked_for_good=True)
    else:
        User.objects.filter(username="ann").update(is_blocked=True)
    assert api(eve).get(f"/posts/{answer.id}").json()["reply_to"] == {"id": None}


def test_replies_on_pages_that_cannot_be_seen_are_left_out(
    *, api: Api, bob: User, eve: User, moderator: User, eves: Page, private_page: Page, post: Post
) -> None:
    blocked = new_page(new_user("dora"), uuid="blocked")
    for place in (eves, private_page, blocked):
        new_post(place, f"From {place.uuid}", reply_to=post)
    Page.objects.filter(pk=blocked.pk).update(blocked_for_good=True)

    def seen(user: User | None) -> list[str]:
        return [row["content"] for row in api(user).walk(f"/posts/{post.id}/replies")]

    assert seen(None) == seen(eve) == ["From eve"]
    assert seen(bob) == ["From eve", "From ann-private"]
    assert seen(moderator) == ["From eve", "From ann-private", "From blocked"]


def test_replies_are_counted_as_far_as_they_can_be_seen(
    *, api: Api, ann: User, bob: User, eve: User, moderator: User, eves: Page, private_page: Page
) -> None:
    """At every endpoint that shows the post."""
    new_page(bob, uuid="bob")
    blocked = new_page(new_user("dora"), uuid="blocked")
    shown = new_post(eves, "Shown")
    for place in (eves, private_page, blocked, new_page(new_user("gone"))):
        new_post(place, reply_to=shown)
    new_post(eves, "Answers", reply_to=shown)
    Page.objects.filter(pk=blocked.pk).update(blocked_for_good=True)
    User.objects.filter(username="gone").update(is_blocked=True)
    for user in (ann, bob, moderator):
        api(user).post("/pages/eve/follow")
    for user in (ann, bob, eve, moderator):
        api(user).post(f"/posts/{shown.id}/like")

    counts = {None: 2, eve: 2, bob: 3, ann: 3, moderator: 5}
    for viewer, count in counts.items():
        endpoints = (
            ["/pages/eve/posts", "/feed", "/users/me/likes"] if viewer else ["/pages/eve/posts"]
        )
        rows = [
            row
            for endpoint in endpoints
            for row in api(viewer).walk(endpoint)
            if row["content"] == "Shown"
        ]
        rows.append(api(viewer).get(f"/posts/{shown.id}").json())
        assert [row["replies_count"] for row in rows] == [count] * (len(endpoints) + 1)
        assert len(api(viewer).walk(f"/posts/{shown.id}/replies")) == count
    # What is stored is the truth all the same.
    assert Post.objects.get(pk=shown.pk).replies_count == 5


@pytest.mark.usefixtures("recompiled")
def test_counting_replies_has_an_end(
    api: Api, eve: User, eves: Page, private_page: Page, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_COUNTED", 3)
    new_post(private_page, reply_to=post)
    for _ in range(3):
        new_post(eves, reply_to=post)
    assert api(eve).get(f"/posts/{post.id}").json()["replies_count"] == 2
    with CaptureQueriesContext(connection) as queries:
        api(eve).get("/pages/ann/posts")
    (counting,) = [query["sql"] for query in queries if "FILTER" in query["sql"]]
    assert "LIMIT 3)" in counting
