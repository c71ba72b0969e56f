"""The laws of every list, on real rows and through the API."""

import base64
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.conftest import Api, Caller, bad_fields, property_test
from innotter.pages.models import Page, Tag
from innotter.posts.models import Post

sizes = st.integers(0, 12)
limits = st.integers(1, 13)


def add_pages(owner: User, count: int) -> list[str]:
    """The uuids of new pages, as a list shows them: newest first."""
    pages = Page.objects.bulk_create(Page(owner=owner, name="One of many") for _ in range(count))
    return [page.uuid for page in pages][::-1]


def shown(results: list[dict[str, Any]]) -> list[str]:
    return [row["content"] if "content" in row else row["uuid"] for row in results]


def in_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def there_and_back(caller: Caller, path: str, limit: int) -> tuple[list[str], list[str]]:
    there, back = caller.there_and_back(path, limit=limit)
    return shown(there), shown(back)


@property_test
@given(size=sizes, limit=limits)
def test_newest_first_both_ways_meet_every_row_once_in_order(
    api: Api, ann: User, size: int, limit: int
) -> None:
    with transaction.atomic():
        pages = add_pages(ann, size)
        assert there_and_back(api(), "/pages", limit) == (pages, pages)
        transaction.set_rollback(True)


@property_test
@given(size=sizes, limit=limits)
def test_oldest_first_both_ways_meet_every_row_once_in_order(
    api: Api, post: Post, size: int, limit: int
) -> None:
    with transaction.atomic():
        replies = [f"Reply {number}" for number in range(size)]
        Post.objects.bulk_create(
            Post(page_id=post.page_id, content=content, reply_to=post) for content in replies
        )
        assert there_and_back(api(), f"/posts/{post.id}/replies", limit) == (replies, replies)
        transaction.set_rollback(True)


@property_test
@given(size=sizes, limit=limits, data=st.data())
def test_rows_that_come_and_go_move_nothing(
    api: Api, ann: User, size: int, limit: int, data: st.DataObject
) -> None:
    with transaction.atomic():
        pages = add_pages(ann, size)
        met: list[str] = []
        for answer in api().answers("/pages", limit=limit):
            assert len(answer["results"]) <= limit
            met += shown(answer["results"])
            add_pages(ann, data.draw(st.integers(0, 3), "come"))
            gone = data.draw(st.sets(st.sampled_from(pages), max_size=3) if pages else st.just({}))
            Page.objects.filter(uuid__in=gone).delete()
        stayed = set(Page.objects.values_list("uuid", flat=True))
        # Those that were there all the time are met once; the new ones are before the start.
        assert [page for page in met if page in stayed] == [p for p in pages if p in stayed]
        assert len(met) == len(set(met))
        assert set(met) <= set(pages)
        transaction.set_rollback(True)


def test_the_way_back_meets_those_who_came(api: Api, ann: User) -> None:
    old = add_pages(ann, 4)
    second = api().get(api().get("/pages", limit=2).json()["next"]).json()
    new = add_pages(ann, 3)
    met: list[str] = []
    for answer in api().answers(second["previous"], "previous"):
        met = shown(answer["results"]) + met
    assert met == new + old[:2]


def test_links_keep_the_rest_of_the_question(api: Api, ann: User) -> None:
    add_pages(ann, 3)
    following = api().get("/pages?limit=1&mood=good").json()["next"]
    assert following.startswith("http://testserver/api/v1/pages?")
    assert "limit=1" in following
    assert "mood=good" in following


def test_twenty_are_shown_unless_asked_otherwise_and_a_hundred_at_most(api: Api, ann: User) -> None:
    add_pages(ann, 101)
    assert len(api().get("/pages").json()["results"]) == 20
    assert len(api().get("/pages", limit=100).json()["results"]) == 100


@pytest.mark.parametrize(
    "limit", ["", "0", "-1", "101", "abc", "1e1", "٣", "1.0", "+1", " 1", "0x1", "9" * 5000]
)
def test_a_limit_is_a_number_from_1_to_100(api: Api, db: None, limit: str) -> None:
    assert bad_fields(api().get("/pages", limit=limit)) == ["limit"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "abc",
        "====",
        "%00",
        "..",
        "٣",
        "bg",
        "n" * 23,
        "eAAAAAAAAAAAAAAAAAAAAAA",
        "_" * 999,
    ],
)
def test_a_made_up_cursor_is_bad_input(api: Api, db: None, cursor: str) -> None:
    assert bad_fields(api().get(f"/pages?cursor={quote(cursor)}")) == ["cursor"]


@property_test
@given(cursor=st.text(max_size=40))
def test_no_cursor_is_a_server_error(api: Api, db: None, cursor: str) -> None:
    answer = api().get(f"/pages?cursor={quote(cursor, errors='replace')}")
    assert answer.status_code in (200, 400)


names = st.text(st.characters(codec="utf-8", categories=["L", "N", "S"]), min_size=1, max_size=5)


@property_test
@given(names=st.sets(names, max_size=8), limit=limits)
def test_a_list_in_the_order_of_a_text_meets_every_row_once_in_order(
    api: Api, page: Page, names: set[str], limit: int
) -> None:
    with transaction.atomic():
        page.tags.set(Tag.objects.bulk_create(Tag(name=name) for name in names))
        there, back = api().there_and_back("/tags", limit=limit)
        assert [tag["name"] for tag in there] == list(
            Tag.objects.order_by("name").values_list("name", flat=True)
        )
        assert there == back
        transaction.set_rollback(True)


@property_test
@given(cursor=st.text(max_size=40) | st.binary(max_size=20).map(in_base64))
def test_no_cursor_of_a_text_is_a_server_error(api: Api, db: None, cursor: str) -> None:
    for path in ("/tags", "/pages"):
        answer = api().get(f"{path}?cursor={quote(cursor, errors='replace')}")
        assert answer.status_code in (200, 400)


@pytest.mark.parametrize("key", [b"a\0b", b"\xff", "\ud800".encode(errors="surrogatepass")])
def test_a_cursor_of_what_is_no_text_is_bad_input(api: Api, db: None, key: bytes) -> None:
    assert bad_fields(api().get(f"/tags?cursor={in_base64(b'n' + key)}")) == ["cursor"]


def test_the_cursor_of_a_text_is_none_of_an_id(api: Api, db: None) -> None:
    assert bad_fields(api().get(f"/pages?cursor={in_base64(b'ngarden')}")) == ["cursor"]


def test_an_emptied_page_leads_back_to_the_row_before_it(api: Api, ann: User) -> None:
    pages = add_pages(ann, 3)
    following = api().get("/pages", limit=2).json()["next"]
    Page.objects.filter(uuid=pages[2]).delete()
    emptied = api().get(following).json()
    assert emptied["results"] == []
    assert shown(api().get(emptied["previous"]).json()["results"]) == pages[:2]


def test_polling_meets_those_who_came(api: Api, ann: User) -> None:
    add_pages(ann, 3)
    poll = api().get("/pages", limit=2).json()["previous"]
    assert api().get(poll).json()["results"] == []
    new = add_pages(ann, 2)
    answer = api().get(poll).json()
    assert shown(answer["results"]) == new
    assert api().get(answer["previous"]).json()["results"] == []
