"""The same Idempotency-Key makes one post, however often and however concurrently it comes."""

import inspect
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import Events, at_once, bad_fields, new_page, new_post, no_trace, refusal
from innotter.pages.models import Page
from innotter.posts import services
from innotter.posts.models import IdempotencyKey, Post
from innotter.posts.services import KeyReused, create_post, delete_post, like


def write(user: User, key: str, content: str = "Hello", uuid: str = "ann", **fields: Any) -> Any:
    return Client().post(
        f"/api/v1/pages/{uuid}/posts",
        json.dumps({"content": content, **fields}),
        "application/json",
        headers={"Authorization": f"Bearer {mint_access_token(user)}", "Idempotency-Key": key},
    )


def test_the_same_key_and_body_give_the_same_post_as_it_is_now(
    ann: User, eve: User, page: Page, events: Events
) -> None:
    first = write(ann, "k-1")
    assert first.status_code == 201
    like(actor=eve, post=Post.objects.get())
    again = write(ann, "k-1", likes_count=7)
    assert again.status_code == 201
    assert again.json() == {**first.json(), "likes_count": 1}
    assert events() == ["post.created", "post.liked"]
    assert write(ann, "k-2").json()["id"] != first.json()["id"]


def test_a_key_means_one_thing(ann: User, eve: User, page: Page) -> None:
    new_page(ann, uuid="other")
    parent = new_post(new_page(eve))
    # Everything that makes a post, each with another value.
    others: dict[str, Any] = {"content": "Something else", "page": "other", "reply_to": parent.id}
    takes = inspect.signature(create_post).parameters
    assert others.keys() == takes.keys() - {"actor", "idempotency_key"}
    asked: dict[str, Any] = {
        "actor": ann,
        "page": "ann",
        "content": "Hello",
        "idempotency_key": "k",
    }
    create_post(**asked)
    for name, value in others.items():
        with no_trace(), pytest.raises(KeyReused):
            create_post(**{**asked, name: value})


def test_another_body_under_a_key_is_409(ann: User, page: Page) -> None:
    write(ann, "k")
    with no_trace():
        assert refusal(write(ann, "k", "Other words")) == (409, "idempotency_key_reused")


def test_each_user_has_keys_of_their_own(ann: User, eve: User, page: Page) -> None:
    new_page(eve, uuid="eve")
    assert write(ann, "k").json()["id"] != write(eve, "k", uuid="eve").json()["id"]


def test_what_was_refused_leaves_the_key_unused(ann: User, eve: User, page: Page) -> None:
    with no_trace():
        assert bad_fields(write(ann, "k", " ")) == ["content"]
        assert bad_fields(write(ann, "k", reply_to=str(page.id))) == ["reply_to"]
        assert refusal(write(eve, "k")) == (403, "forbidden")
    assert write(ann, "k").status_code == 201


def test_a_replay_asks_nothing_of_what_has_changed_since(ann: User, eve: User, page: Page) -> None:
    parent = new_post(new_page(eve))
    first = write(ann, "k", reply_to=str(parent.id)).json()
    delete_post(actor=eve, post=parent)
    Page.objects.filter(pk=page.pk).update(blocked_for_good=True)
    again = write(ann, "k", reply_to=str(parent.id))
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert again.json()["reply_to"] == {"id": None}


def test_the_key_of_a_deleted_post_makes_no_second_one(ann: User, page: Page) -> None:
    write(ann, "k")
    delete_post(actor=ann, post=Post.objects.get())
    with no_trace():
        assert refusal(write(ann, "k")) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "ключ", "k\x7f", "\u00e9", "\t"])
def test_a_key_is_1_to_255_visible_ascii_characters(ann: User, page: Page, key: str) -> None:
    with no_trace():
        assert bad_fields(write(ann, key)) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_other_key_will_do(ann: User, page: Page, key: str) -> None:
    assert write(ann, key).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_twenty_clients_at_once_make_one_post(ann: User, page: Page, events: Events) -> None:
    answers = at_once(*[lambda: write(ann, "k")] * 20)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == Post.objects.count() == 1
    assert events() == ["post.created"]
    page.refresh_from_db()
    assert page.posts_count == 1


@pytest.mark.django_db(transaction=True)
def test_one_of_many_bodies_at_once_wins(ann: User, page: Page, events: Events) -> None:
    answers = at_once(*[lambda n=n: write(ann, "k", f"Take {n}").status_code for n in range(10)])
    assert sorted(answers) == [201] + [409] * 9
    assert events() == ["post.created"]


def test_a_key_is_good_for_a_day_and_then_gone(ann: User, page: Page) -> None:
    for number in range(3):
        write(ann, f"k-{number}")
    old = timezone.now() - services.KEY_LIFETIME
    IdempotencyKey.objects.exclude(key="k-2").update(created_at=old - timedelta(seconds=1))
    IdempotencyKey.objects.filter(key="k-2").update(created_at=old + timedelta(minutes=1))
    first = write(ann, "k-2").json()["id"]
    assert services.prune_keys() == 2
    assert IdempotencyKey.objects.get().key == "k-2"
    assert write(ann, "k-2").json()["id"] == first
