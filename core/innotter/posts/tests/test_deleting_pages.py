"""A page goes with all that is on it, and events report what others have to know."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from innotter.accounts.models import User
from innotter.conftest import (
    Api,
    Events,
    at_once,
    make_follower,
    new_page,
    new_post,
    new_user,
    refusal,
    wait_until_blocked,
)
from innotter.events.models import OutboxEvent
from innotter.mail.models import Delivery
from innotter.mail.queueing import queue_deliveries
from innotter.pages.models import Follow, Page
from innotter.pages.services import delete_page
from innotter.posts.models import Like, Post
from innotter.posts.selectors import wrong_counts
from innotter.posts.services import like


def test_ann_deletes_a_page_with_all_that_is_on_it(
    *, api: Api, ann: User, bob: User, private_page: Page, post: Post
) -> None:
    api(ann).put("/pages/ann/tags/garden")
    like(actor=bob, post=post)
    assert queue_deliveries(post.id) == 1
    assert api(ann).delete("/pages/ANN").status_code == 204
    for path in ("/pages/ann", "/pages/ann/posts", f"/posts/{post.id}"):
        assert refusal(api(ann).get(path)) == (404, "not_found")
    assert refusal(api(ann).delete("/pages/ann")) == (404, "not_found")
    assert set(Page.objects.all()) == {private_page}
    assert set(Follow.objects.values_list("page", flat=True)) == {private_page.id}
    assert not any(model.objects.exists() for model in (Post, Like, Delivery))


def test_each_reply_and_then_the_page_has_an_event(
    *, api: Api, ann: User, bob: User, eve: User, page: Page, post: Post, events: Events
) -> None:
    parent = new_post(new_page(eve, uuid="eve"))
    replies = [new_post(page, reply_to=parent), new_post(page, reply_to=post)]
    like(actor=bob, post=replies[0])
    before = len(events())
    api(ann).delete("/pages/ann")
    assert events()[before:] == ["post.deleted", "post.deleted", "page.deleted"]
    *told, last = OutboxEvent.objects.order_by("id").values_list("body", flat=True)
    for event, reply, to, likes in zip(told[-2:], replies, (parent, post), (1, 0), strict=True):
        assert event["actor"] == str(ann.id)
        assert event["payload"] == {
            "post_id": str(reply.id),
            "page_id": str(page.id),
            "reply_to": {"post_id": str(to.id), "page_id": str(to.page_id)},
            "likes_count": likes,
        }
    assert last["actor"] == str(ann.id)
    assert last["payload"].pop("revision") > page.revision
    assert last["payload"] == {"page_id": str(page.id)}


def test_replies_on_other_pages_stay_and_parents_count_down(
    api: Api, ann: User, eve: User, page: Page, post: Post
) -> None:
    eves = new_page(eve, uuid="eve")
    parent = new_post(eves)
    for _ in range(2):
        new_post(page, reply_to=parent)
    kept, answer = new_post(eves, reply_to=parent), new_post(eves, reply_to=post)
    api(ann).delete("/pages/ann")
    assert api().get(f"/posts/{parent.id}").json()["replies_count"] == 1
    assert [row["id"] for row in api().walk(f"/posts/{parent.id}/replies")] == [str(kept.id)]
    assert api().get(f"/posts/{answer.id}").json()["reply_to"] == {"id": None}
    assert api().walk("/pages/eve/posts")[0]["reply_to"] == {"id": None}
    assert list(wrong_counts()) == []


def test_a_reply_whose_parent_is_gone_is_told_of_too(
    api: Api, ann: User, eve: User, page: Page, events: Events
) -> None:
    eves = new_page(eve, uuid="eve")
    new_post(page, reply_to=new_post(eves))
    before = len(events())
    api(eve).delete("/pages/eve")
    api(ann).delete("/pages/ann")
    assert events()[before:] == ["page.deleted", "post.deleted", "page.deleted"]


def test_the_uuid_is_free_at_once(api: Api, ann: User, eve: User, page: Page) -> None:
    api(ann).delete("/pages/ann")
    assert api(eve).post("/pages", {"name": "x", "uuid": "ann"}).status_code == 201


def test_deleting_costs_the_same_for_few_posts_and_many(
    api: Api, ann: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    page = new_page(ann, uuid="big")
    make_follower(bob, page)
    parent = new_post(page)
    for _ in range(150):
        like(actor=bob, post=new_post(page, reply_to=parent))
    with django_assert_max_num_queries(25):
        assert api(ann).delete("/pages/big").status_code == 204


@pytest.mark.django_db(transaction=True)
def test_a_request_at_the_moment_of_deletion_finds_it_there_or_gone(
    *, api: Api, ann: User, bob: User, eve: User, page: Page, post: Post
) -> None:
    new_page(eve, uuid="eve")
    people = [new_user(f"user-{number}") for number in range(3)]
    answers = at_once(
        *(lambda who=who: api(who).post("/pages/ann/follow").status_code for who in people),
        *(lambda who=who: api(who).post(f"/posts/{post.id}/like").status_code for who in people),
        *[lambda: api(ann).post("/pages/ann/posts", {"content": "x"}).status_code] * 3,
        lambda: api(ann).put("/pages/ann/tags/x").status_code,
        lambda: api(ann).patch("/pages/ann", {"name": "x"}).status_code,
        lambda: queue_deliveries(post.id) and 200,
        lambda: api(ann).delete("/pages/ann").status_code,
        lambda: api(ann).delete("/pages/ann").status_code,
        *[
            lambda: (
                api(eve)
                .post("/pages/eve/posts", {"content": "x", "reply_to": str(post.id)})
                .status_code
            )
        ]
        * 3,
    )
    assert set(answers) <= {0, 200, 201, 204, 400, 404}
    assert answers.count(204) == 1
    assert not Page.objects.filter(pk=page.pk).exists()
    for model in (Follow, Like, Delivery):
        assert not model.objects.filter(page=page.pk).exists()
    assert list(wrong_counts()) == []


@pytest.mark.django_db(transaction=True)
def test_pages_that_answer_each_other_may_go_at_once(api: Api, ann: User) -> None:
    pages = [new_page(ann, uuid=f"page-{number}") for number in range(4)]
    posts = [new_post(page) for page in pages]
    for page in pages:
        for parent in posts:
            new_post(page, reply_to=parent)
    statuses = at_once(
        *(lambda p=p: api(ann).delete(f"/pages/{p.uuid}").status_code for p in pages)
    )
    assert statuses == [204] * 4
    assert not Post.objects.exists()


def delete_during(work: Callable[[], Any], page: Page) -> None:
    """Deletes the page while the transaction that did the work is open. That one ends when the
    deletion waits for it, or is through already."""

    def delete() -> None:
        try:
            delete_page(actor=page.owner, page=page)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            work()
            deletion = thread.submit(delete)
            wait_until_blocked(deletion)
        deletion.result(timeout=30)


@pytest.mark.django_db(transaction=True)
def test_a_like_at_that_moment_is_told_of(page: Page, post: Post, eve: User, settings: Any) -> None:
    # Counted it could not be in a transaction that is left open.
    settings.LIMITS = {**settings.LIMITS, "writes": (0, 60)}
    reply = new_post(page, reply_to=post)
    delete_during(lambda: like(actor=eve, post=reply), page)
    told = OutboxEvent.objects.get(type="post.deleted").body["payload"]
    assert (told["post_id"], told["likes_count"]) == (str(reply.id), 1)
    assert not Like.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_mail_queued_at_that_moment_goes_with_the_page(page: Page, post: Post, bob: User) -> None:
    delete_during(lambda: queue_deliveries(post.id), page)
    assert not Delivery.objects.exists()
