from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import (
    Api,
    Events,
    at_once,
    bad_fields,
    new_page,
    new_post,
    no_trace,
    refusal,
)
from innotter.events.models import OutboxEvent
from innotter.pages.models import Page
from innotter.posts.models import Post


def write(api: Api, user: User | None, content: Any, uuid: str = "ann", **fields: Any) -> Any:
    return api(user).post(f"/pages/{uuid}/posts", {"content": content, **fields})


def test_ann_writes_a_post(api: Api, ann: User, page: Page, events: Events) -> None:
    answer = write(api, ann, "Hello, world")
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        **made,
        "page": {"uuid": "ann", "name": "A page of ann", "image": None},
        "content": "Hello, world",
        "reply_to": None,
        "likes_count": 0,
        "replies_count": 0,
        "viewer": {"liked": False},
    }
    assert made["created_at"].endswith("Z")
    assert api().get(f"/posts/{made['id']}").json() == made
    assert api().get("/pages/ann/posts").json()["results"] == [made]
    assert api().get("/pages/ann").json()["posts_count"] == 1
    assert events() == ["post.created"]


def test_the_event_says_which_post_on_which_page(api: Api, ann: User, page: Page) -> None:
    post_id = write(api, ann, "Hello").json()["id"]
    body = OutboxEvent.objects.get(type="post.created").body
    assert body["actor"] == str(ann.id)
    assert body["payload"] == {"post_id": post_id, "page_id": str(page.id), "reply_to": None}


def test_posts_are_listed_newest_first(api: Api, page: Page) -> None:
    for number in range(5):
        new_post(page, f"Post {number}")
    contents = [post["content"] for post in api().walk("/pages/ann/posts", limit=2)]
    assert contents == ["Post 4", "Post 3", "Post 2", "Post 1", "Post 0"]


@pytest.mark.parametrize(
    "content",
    [
        "x",
        "x" * 180,
        "ё" * 180,
        "👩‍👩‍👧‍👦" * 25,
        "Привет, мир! Ёжик в тумане.",
        "नमस्ते दुनिया 안녕하세요 مرحبا",
        "  spaces stay  \n\n\tand lines too ",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️ 1️⃣ 👍🏽",
        "<b>&amp;</b> \\u0041 '; DROP TABLE posts_post; --",
        "a\u200bb\u0327\u0301",
        "\u0301a",
        "\x07a\u2800\u3164",
    ],
)
def test_what_is_in_nfc_already_is_kept_byte_for_byte(
    api: Api, ann: User, page: Page, content: str
) -> None:
    made = write(api, ann, content).json()
    assert made["content"].encode() == content.encode()
    assert api().get(f"/posts/{made['id']}").json()["content"].encode() == content.encode()


def test_characters_are_counted_as_people_count_them(api: Api, ann: User, page: Page) -> None:
    decomposed = "e\u0301" * 180
    assert len(decomposed) == 360
    answer = write(api, ann, decomposed)
    assert answer.status_code == 201
    assert answer.json()["content"] == "é" * 180


@pytest.mark.parametrize(
    "content",
    [
        "",
        " ",
        "\n\t\r ",
        "\u00a0\u2003\u3000\u2028",
        "\x01\x02\x7f",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\u202a \u202c\u00ad",
        "\u2800",
        "\u3164 \u115f\u1160\uffa0",
        "\u0301",
        " \u0301\ufe0f\u20e3",
        "\U000e0061\U000e007f",
        "\ufff0",
        "\u0378",
        "\ue000\U000e0fff",
        "\ud800",
        "fine but for \udfff",
        "x" * 181,
        "e\u0301" * 181,
        "👍" * 181,
        "x" * 100_000,
        "a\x00b",
        None,
        ["a"],
        {"a": "b"},
        True,
    ],
)
def test_what_is_blank_too_long_or_no_text_is_refused(
    api: Api, ann: User, page: Page, content: Any
) -> None:
    with no_trace():
        assert set(bad_fields(write(api, ann, content))) == {"content"}


def test_a_post_without_content_is_refused(api: Api, ann: User, page: Page) -> None:
    with no_trace():
        assert bad_fields(api(ann).post("/pages/ann/posts", {})) == ["content"]


def test_nobody_chooses_the_counts_or_the_page(api: Api, ann: User, page: Page) -> None:
    new_page(ann, uuid="other")
    made = write(api, ann, "Hello", likes_count=99, replies_count=99, page="other").json()
    assert (made["likes_count"], made["replies_count"]) == (0, 0)
    assert made["page"]["uuid"] == "ann"


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
@pytest.mark.parametrize("uuid", ["ann", "ann-private"])
@pytest.mark.usefixtures("page", "private_page")
def test_only_the_owner_writes_on_a_page(
    api: Api,
    request: pytest.FixtureRequest,
    who: str | None,
    expected: tuple[int, str],
    uuid: str,
) -> None:
    user = request.getfixturevalue(who) if who else None
    with no_trace():
        assert refusal(write(api, user, "Hello", uuid)) == expected


def test_nobody_writes_on_a_page_that_does_not_exist(api: Api, ann: User) -> None:
    with no_trace():
        assert refusal(write(api, ann, "Hello", "nothing")) == (404, "not_found")


def test_a_blocked_page_stays_silent(api: Api, ann: User, eve: User, page: Page) -> None:
    Page.objects.update(blocked_for_good=True)
    with no_trace():
        assert refusal(write(api, ann, "Hello")) == (403, "page_blocked")
        assert refusal(write(api, eve, "Hello")) == (404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_posts_written_at_once_are_all_counted(api: Api, ann: User, page: Page) -> None:
    answers = at_once(*[lambda: write(api, ann, "Hello")] * 10)
    assert {answer.status_code for answer in answers} == {201}
    page.refresh_from_db()
    assert page.posts_count == Post.objects.count() == 10


@pytest.mark.parametrize(
    "post_id", ["nothing", "1", "%00", "ann", "0" * 33, "01a20aa8-6bad-7de1-aeaa-51ca9992750"]
)
@pytest.mark.parametrize("endpoint", ["", "/replies", "/like"])
def test_an_id_of_another_shape_names_nothing(
    api: Api, eve: User, post_id: str, endpoint: str
) -> None:
    call = api(eve).post if endpoint == "/like" else api(eve).get
    assert refusal(call(f"/posts/{post_id}{endpoint}")) == (404, "not_found")


def test_an_id_that_nobody_has_names_nothing(api: Api, eve: User, page: Page) -> None:
    assert refusal(api(eve).get(f"/posts/{page.id}")) == (404, "not_found")
