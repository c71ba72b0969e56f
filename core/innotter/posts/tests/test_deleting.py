from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import (
    Api,
    Events,
    at_once,
    new_page,
    new_post,
    new_user,
    no_trace,
    refusal,
)
from innotter.events.models import OutboxEvent
from innotter.mail.models import Delivery
from innotter.mail.queueing import queue_deliveries
from innotter.pages.models import Page
from innotter.pages.services import delete_page
from innotter.posts.models import Like, Post
from innotter.posts.selectors import wrong_counts
from innotter.posts.services import like


def test_ann_deletes_a_post_with_its_likes(
    *, api: Api, ann: User, bob: User, eve: User, post: Post, events: Events
) -> None:
    like(actor=bob, post=post)
    like(actor=eve, post=post)
    assert queue_deliveries(post.id) == 1
    assert api(ann).delete(f"/posts/{post.id}").status_code == 204
    assert refusal(api(ann).get(f"/posts/{post.id}")) == (404, "not_found")
    assert refusal(api(ann).delete(f"/posts/{post.id}")) == (404, "not_found")
    assert api().get("/pages/ann").json()["posts_count"] == 0
    assert not any(model.objects.exists() for model in (Post, Like, Delivery))
    assert events() == ["post.liked", "post.liked", "post.deleted"]
    body = OutboxEvent.objects.get(type="post.deleted").body
    assert body["actor"] == str(ann.id)
    assert body["payload"] == {
        "post_id": str(post.id),
        "page_id": str(post.page_id),
        "reply_to": None,
        "likes_count": 2,
    }


def test_replies_stay_and_the_parent_counts_down(
    api: Api, ann: User, eve: User, page: Page, post: Post
) -> None:
    reply = new_post(new_page(eve, uuid="eve"), reply_to=post)
    answer = new_post(page, reply_to=reply)
    assert api(eve).delete(f"/posts/{reply.id}").status_code == 204
    assert api().get(f"/posts/{post.id}").json()["replies_count"] == 0
    assert api().get(f"/posts/{answer.id}").json()["reply_to"] == {"id": None}
    assert list(wrong_counts()) == []
    payload = OutboxEvent.objects.get(type="post.deleted").body["payload"]
    assert payload["reply_to"] == {"post_id": str(post.id), "page_id": str(page.id)}
    # The parent of this one is gone already.
    assert api(ann).delete(f"/posts/{answer.id}").status_code == 204
    assert list(wrong_counts()) == []


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (None, (401, "unauthenticated")),
        ("eve", (403, "forbidden")),
        ("bob", (403, "forbidden")),
        ("ann", 204),
        ("moderator", 204),
        ("admin", 204),
    ],
)
@pytest.mark.parametrize("is_blocked", [False, True])
def test_who_deletes(
    *,
    api: Api,
    request: pytest.FixtureRequest,
    post: Post,
    who: str | None,
    expected: Any,
    is_blocked: bool,
) -> None:
    user = request.getfixturevalue(who) if who else None
    Page.objects.update(blocked_for_good=is_blocked)
    if expected == 204:
        assert api(user).delete(f"/posts/{post.id}").status_code == 204
        assert OutboxEvent.objects.get(type="post.deleted").body["actor"] == str(user.id)  # type: ignore[union-attr]
        return
    with no_trace():
        answer = refusal(api(user).delete(f"/posts/{post.id}"))
    assert answer == ((404, "not_found") if is_blocked and user else expected)


@pytest.mark.django_db(transaction=True)
def test_twenty_clients_delete_once(api: Api, ann: User, page: Page, post: Post) -> None:
    answers = at_once(*[lambda: api(ann).delete(f"/posts/{post.id}").status_code] * 20)
    assert sorted(answers) == [204] + [404] * 19
    assert OutboxEvent.objects.filter(type="post.deleted").count() == 1
    page.refresh_from_db()
    assert page.posts_count == 0


@pytest.mark.django_db(transaction=True)
def test_a_like_at_the_last_moment_is_told_of_or_refused(api: Api, ann: User, post: Post) -> None:
    people = [new_user(f"user-{number}") for number in range(12)]
    path = f"/posts/{post.id}"
    likes = [lambda who=who: api(who).post(f"{path}/like").status_code for who in people]
    *liked, deleted = at_once(*likes, lambda: api(ann).delete(path).status_code)
    assert deleted == 204
    assert set(liked) <= {200, 404}
    body = OutboxEvent.objects.get(type="post.deleted").body
    assert body["payload"]["likes_count"] == liked.count(200)
    assert OutboxEvent.objects.filter(type="post.liked").count() == liked.count(200)
    assert OutboxEvent.objects.latest("id").type in ("post.deleted", "post.liked")
    assert not Like.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_posts_that_answer_each_other_go_at_once_with_a_page(
    api: Api, ann: User, eve: User, page: Page
) -> None:
    eves = new_page(eve, uuid="eve")
    for _ in range(5):
        first = new_post(page)
        middle = new_post(eves, reply_to=first)
        last = new_post(page, reply_to=middle)
        new_post(page, reply_to=last)
    posts = [str(post_id) for post_id in Post.objects.values_list("id", flat=True)]
    owners = {str(post.id): post.page.owner for post in Post.objects.select_related("page__owner")}
    deletions = [lambda p=p: api(owners[p]).delete(f"/posts/{p}").status_code for p in posts]
    *answers, _ = at_once(*deletions, lambda: delete_page(actor=page.owner, page=page))
    assert set(answers) <= {204, 404}
    assert list(wrong_counts()) == []
    assert not Post.objects.exists()


def test_deleting_costs_the_same_whatever_hangs_on_the_post(
    api: Api, ann: User, post: Post, django_assert_num_queries: Any
) -> None:
    people = User.objects.bulk_create(
        User(username=f"user-{n}", email=f"user-{n}@example.com") for n in range(100)
    )
    Like.objects.bulk_create(Like(page=post.page, post=post, user=user) for user in people)
    # With the limit of writes, and the epoch of the page in its event.
    with django_assert_num_queries(17, exact=False):
        assert api(ann).delete(f"/posts/{post.id}").status_code == 204
    assert not Like.objects.exists()
