"""An owner changes a page: profile, uuid, tags, privacy."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.common.tests.test_text import texts
from innotter.conftest import (
    Api,
    Events,
    at_once,
    bad_fields,
    new_page,
    new_user,
    no_trace,
    refusal,
)
from innotter.events.models import OutboxEvent
from innotter.pages.models import Page, normal_tag

type Call = tuple[str, str, Any]

# Each endpoint through which an owner changes a page: method, what follows the page's path, body.
ENDPOINTS: list[Call] = [
    ("patch", "", {"name": "Mine now", "uuid": "mine", "tags": ["mine"], "is_private": True}),
    ("delete", "", None),
    ("put", "/tags/mine", None),
    ("delete", "/tags/garden", None),
    ("post", "/follow-requests/accept", {"all": True}),
    ("post", "/follow-requests/reject", {"all": True}),
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
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
@pytest.mark.usefixtures("bob")
def test_only_the_owner_changes_a_page(
    *,
    api: Api,
    request: pytest.FixtureRequest,
    who: str | None,
    expected: tuple[int, str],
    endpoint: Call,
) -> None:
    user = request.getfixturevalue(who) if who else None
    method, path, body = endpoint
    for uuid in ("ann", "ann-private"):
        with no_trace():
            assert refusal(getattr(api(user), method)(f"/pages/{uuid}{path}", body)) == expected


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_cannot_be_found_cannot_be_changed(
    api: Api, eve: User, moderator: User, page: Page, endpoint: Call
) -> None:
    Page.objects.update(blocked_for_good=True)
    method, path, body = endpoint
    with no_trace():
        assert refusal(getattr(api(eve), method)(f"/pages/ann{path}", body)) == (404, "not_found")
        assert refusal(getattr(api(eve), method)(f"/pages/x{path}", body)) == (404, "not_found")
        assert refusal(getattr(api(moderator), method)(f"/pages/ann{path}", body))[0] == 403


def test_ann_changes_any_of_it(api: Api, ann: User, page: Page) -> None:
    changes = {
        "name": "Ann's garden",
        "uuid": "garden",
        "description": "What grows.",
        "tags": ["flowers", "garden"],
        "is_private": True,
    }
    before, uuid = api(ann).get("/pages/ann").json(), "ann"
    for field, value in changes.items():
        answer = api(ann).patch(f"/pages/{uuid}", {field: value})
        assert answer.status_code == 200
        assert answer.json()[field] == value
        uuid = answer.json()["uuid"]
    after = answer.json()
    assert after == {**before, **changes, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert api(ann).get("/pages/garden").json() == after


def test_a_blocked_page_may_still_be_edited(api: Api, ann: User, page: Page) -> None:
    Page.objects.update(blocked_for_good=True)
    assert api(ann).patch("/pages/ann", {"name": "Better"}).json()["name"] == "Better"


def test_changing_nothing_leaves_no_trace(api: Api, ann: User, page: Page) -> None:
    same = {"name": page.name, "uuid": "ann", "description": "", "tags": [], "is_private": False}
    foreign = {"id": "x", "owner": "eve", "followers_count": 9, "blocked_for_good": True}
    with no_trace():
        for body in ({}, same, foreign):
            assert api(ann).patch("/pages/ann", body).status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "Garden"}, ["page.changed"]),
        ({"uuid": "garden"}, ["page.changed"]),
        ({"uuid": "garden", "name": "Garden"}, ["page.changed"]),
        ({"uuid": "ANN"}, ["page.changed"]),
        ({"description": "x", "tags": ["y"], "is_private": True}, []),
    ],
)
def test_an_event_tells_of_another_name_or_uuid(
    *, api: Api, ann: User, page: Page, events: Events, body: Any, told: list[str]
) -> None:
    assert api(ann).patch("/pages/ann", body).status_code == 200
    assert events() == told
    if told:
        event = OutboxEvent.objects.get(type="page.changed").body
        assert event["actor"] == str(ann.id)
        now = {"page_id": str(page.id), "uuid": page.uuid, "name": page.name}
        revision = Page.objects.get().revision
        assert event["payload"] == {**now, "revision": revision, **body}
        assert revision > page.revision


def test_an_old_uuid_finds_nothing_at_once(api: Api, ann: User, page: Page) -> None:
    assert api(ann).patch("/pages/ann", {"uuid": "garden"}).status_code == 200
    assert refusal(api(ann).get("/pages/ann")) == (404, "not_found")
    assert refusal(api(ann).get("/pages/ann/posts")) == (404, "not_found")
    assert api().get("/pages/GARDEN").json()["id"] == str(page.id)


@pytest.mark.parametrize("uuid", ["eve", "EVE"])
def test_a_uuid_of_another_is_taken(api: Api, ann: User, page: Page, uuid: str) -> None:
    new_page(new_user("eve"), uuid="eve")
    with no_trace():
        answer = api(ann).patch("/pages/ann", {"name": "x", "uuid": uuid, "tags": ["new"]})
        assert refusal(answer) == (409, "uuid_taken")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uuid", "a/b"),
        ("uuid", ""),
        ("uuid", None),
        ("name", ""),
        ("name", None),
        ("name", "a\0b"),
        ("description", "x" * 1001),
        ("is_private", None),
        ("tags", None),
        ("tags", "garden"),
        ("tags", [f"tag-{number}" for number in range(11)]),
        ("tags", ["a/b"]),
        ("tags", ["a\x01b"]),
    ],
)
def test_a_field_outside_its_limits_is_bad_input(
    api: Api, ann: User, page: Page, field: str, value: Any
) -> None:
    with no_trace():
        answer = api(ann).patch("/pages/ann", {"name": "Garden", field: value})
        assert bad_fields(answer) == [field]


@pytest.mark.django_db(transaction=True)
def test_of_ten_pages_that_want_a_uuid_at_once_one_gets_it(
    api: Api, ann: User, events: Events
) -> None:
    pages = [new_page(ann, uuid=f"page-{number}") for number in range(10)]
    before = len(events())
    answers = at_once(
        *(lambda p=p: api(ann).patch(f"/pages/{p.uuid}", {"uuid": "same"}) for p in pages)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert events()[before:] == ["page.changed"]


# Tags, one by one

TAGS = [
    "garden",
    "kitchen garden",
    "ёлка",
    "日本語",
    "नमस्ते",
    "👩‍👩‍👧‍👦",
    "c++",
    "50%",
    "a?b#c&d",
    "...",
]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_comes_and_goes(api: Api, ann: User, page: Page, tag: str) -> None:
    path = f"/pages/ann/tags/{quote(tag)}"
    answer = api(ann).put(path)
    assert (answer.status_code, answer.json()["tags"]) == (200, [normal_tag(tag)])
    with no_trace():
        assert api(ann).put(path).json() == answer.json()
    gone = api(ann).delete(path)
    assert (gone.status_code, gone.json()["tags"]) == (200, [])
    with no_trace():
        assert api(ann).delete(path).json() == gone.json()


def test_a_tag_is_the_same_however_it_is_written(api: Api, ann: User, page: Page) -> None:
    for tag in ("Kitchen  GARDEN ", "ｋitchen garden", "Ёлка"):
        tags = api(ann).put(f"/pages/ann/tags/{quote(tag)}").json()["tags"]
    assert tags == ["kitchen garden", "ёлка"]
    assert api(ann).delete(f"/pages/ann/tags/{quote('КИТ')}").json()["tags"] == tags
    assert api(ann).delete("/pages/ann/tags/KITCHEN%20garden").json()["tags"] == ["ёлка"]


@pytest.mark.parametrize("tag", ["%20", "%00", "a%00b", "x" * 31, "%EF%BC%8F", "%0A", "%1B"])
def test_what_is_no_tag_is_refused_and_cannot_be_taken_away(
    api: Api, ann: User, page: Page, tag: str
) -> None:
    with no_trace():
        assert bad_fields(api(ann).put(f"/pages/ann/tags/{tag}")) == ["tags"]
        assert api(ann).delete(f"/pages/ann/tags/{tag}").status_code == 200


def test_an_eleventh_tag_is_refused(api: Api, ann: User) -> None:
    new_page(ann, uuid="full", tags=[f"tag-{number}" for number in range(10)])
    with no_trace():
        assert bad_fields(api(ann).put("/pages/full/tags/more")) == ["tags"]
        assert api(ann).put("/pages/full/tags/TAG-0").status_code == 200


@given(st.text(max_size=40) | texts)
@example("J\u030c")
@example("İ")
def test_a_normal_tag_stays_as_it_is(text: str) -> None:
    assert normal_tag(normal_tag(text)) == normal_tag(text)


@pytest.mark.django_db(transaction=True)
def test_tags_set_in_many_tabs_at_once_are_never_more_than_ten(
    api: Api, ann: User, page: Page
) -> None:
    one_by_one = [
        lambda n=n: api(ann).put(f"/pages/ann/tags/tag-{n}").status_code for n in range(14)
    ]
    as_sets = [
        lambda n=n: (
            api(ann).patch("/pages/ann", {"tags": [f"set-{n}-{i}" for i in range(8)]}).status_code
        )
        for n in range(4)
    ]
    statuses = at_once(*one_by_one, *as_sets)
    assert set(statuses) <= {200, 400}
    assert statuses[-4:] == [200] * 4
    assert 8 <= Page.objects.get(pk=page.pk).tags.count() <= 10
