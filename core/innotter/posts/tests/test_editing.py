from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from innotter.accounts.models import User
from innotter.conftest import Api, Events, at_once, bad_fields, new_post, no_trace, refusal
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like

LATER = datetime.now(UTC) + timedelta(hours=1)


def test_ann_changes_the_words_of_her_post(
    api: Api, ann: User, bob: User, post: Post, events: Events
) -> None:
    like(actor=bob, post=post)
    before = api(ann).get(f"/posts/{post.id}").json()
    with time_machine.travel(LATER, tick=False):
        answer = api(ann).patch(f"/posts/{post.id}", {"content": "e\u0301cole"})
    assert answer.status_code == 200
    after = answer.json()
    assert after == {**before, "content": "école", "updated_at": after["updated_at"]}
    assert datetime.fromisoformat(after["updated_at"]) == LATER
    assert api().get(f"/posts/{post.id}").json()["content"] == "école"
    assert events() == ["post.liked"]


def test_the_same_words_are_no_edit(api: Api, ann: User, post: Post) -> None:
    with no_trace():
        answer = api(ann).patch(f"/posts/{post.id}", {"content": post.content})
        assert answer.status_code == 200


def test_nothing_but_the_words_can_be_changed(api: Api, ann: User, page: Page, post: Post) -> None:
    other = new_post(page)
    before = api(ann).get(f"/posts/{post.id}").json()
    foreign = {"reply_to": str(other.id), "likes_count": 9, "created_at": "2020-01-01T00:00:00Z"}
    answer = api(ann).patch(f"/posts/{post.id}", {"content": "New", **foreign}).json()
    assert answer == {**before, "content": "New", "updated_at": answer["updated_at"]}


@pytest.mark.parametrize(
    "body", [{}, {"content": " \u3164"}, {"content": "x" * 181}, {"content": None}]
)
def test_the_rules_of_writing_hold_for_editing(
    api: Api, ann: User, post: Post, body: dict[str, Any]
) -> None:
    with no_trace():
        assert bad_fields(api(ann).patch(f"/posts/{post.id}", body)) == ["content"]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (None, (401, "unauthenticated")),
        ("eve", (403, "forbidden")),
        ("bob", (403, "forbidden")),
        ("moderator", (403, "forbidden")),
        ("admin", (403, "forbidden")),
    ],
)
def test_only_the_owner_edits(
    api: Api, request: pytest.FixtureRequest, post: Post, who: str | None, expected: Any
) -> None:
    user = request.getfixturevalue(who) if who else None
    with no_trace():
        assert refusal(api(user).patch(f"/posts/{post.id}", {"content": "New"})) == expected


def test_what_cannot_be_seen_cannot_be_edited(
    api: Api, eve: User, private_page: Page, post: Post
) -> None:
    hidden = new_post(private_page)
    Page.objects.filter(pk=post.page_id).update(blocked_for_good=True)
    with no_trace():
        for call in (api(eve).patch, api(eve).delete):
            assert refusal(call(f"/posts/{hidden.id}", {"content": "x"})) == (403, "page_private")
            assert refusal(call(f"/posts/{post.id}", {"content": "x"})) == (404, "not_found")
            assert refusal(call("/posts/nothing", {"content": "x"})) == (404, "not_found")


def test_nothing_is_edited_on_a_blocked_page(api: Api, ann: User, post: Post) -> None:
    Page.objects.update(unblock_date=LATER)
    with no_trace():
        answer = api(ann).patch(f"/posts/{post.id}", {"content": "New"})
        assert refusal(answer) == (403, "page_blocked")
    with time_machine.travel(LATER, tick=False):
        assert api(ann).patch(f"/posts/{post.id}", {"content": "New"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_edits_and_likes_at_once_lose_nothing(
    api: Api, ann: User, bob: User, eve: User, post: Post
) -> None:
    path = f"/posts/{post.id}"
    edits = [lambda n=n: api(ann).patch(path, {"content": f"Take {n}"}) for n in range(8)]
    likes = [lambda user=user: api(user).post(f"{path}/like") for user in (ann, bob, eve)]
    assert {answer.status_code for answer in at_once(*edits, *likes)} == {200}
    post.refresh_from_db()
    assert post.likes_count == 3
    assert post.content.startswith("Take ")
