import re
from typing import Any

import pytest

from innotter.accounts.models import User
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
from innotter.pages.models import Page, Tag


def test_ann_creates_a_page(api: Api, ann: User, events: Events) -> None:
    body = {
        "name": "Ann's garden",
        "uuid": "Anns-Garden",
        "description": "What grows and what does not.",
        "tags": ["garden"],
        "is_private": True,
    }
    answer = api(ann).post("/pages", body)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in body} == body
    assert made == {
        **made,
        "image": None,
        "owner": {"username": "ann", "title": "ann", "image": None},
        "followers_count": 0,
        "posts_count": 0,
        "is_blocked": False,
        "unblock_date": None,
        "viewer": {"is_owner": True, "follow": "none"},
    }
    assert made["created_at"].endswith("Z")
    assert api(ann).get("/pages/Anns-Garden").json() == made
    assert events() == ["page.created"]


def test_the_event_says_whose_page_it_is(api: Api, ann: User) -> None:
    api(ann).post("/pages", {"name": "Garden", "uuid": "garden"})
    page, event = Page.objects.get(), OutboxEvent.objects.get()
    assert event.body["actor"] == str(ann.id)
    assert event.body["payload"] == {
        "revision": page.revision,
        "page_id": str(page.id),
        "uuid": "garden",
        "name": "Garden",
        "owner_id": str(ann.id),
    }


def test_a_page_without_a_uuid_gets_one(api: Api, ann: User) -> None:
    made = [api(ann).post("/pages", {"name": "Garden"}).json()["uuid"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(re.fullmatch("[A-Za-z0-9_-]{11}", uuid) for uuid in made)


def test_nobody_chooses_the_counts_the_owner_or_a_block(api: Api, ann: User, eve: User) -> None:
    foreign = {"id": str(eve.id), "owner": "eve", "followers_count": 1000, "blocked_for_good": True}
    made = api(ann).post("/pages", {"name": "Garden", **foreign}).json()
    assert made["id"] != str(eve.id)
    assert made["owner"]["username"] == "ann"
    assert (made["followers_count"], made["is_blocked"]) == (0, False)


def test_anonymous_visitors_create_nothing(api: Api, db: None) -> None:
    with no_trace():
        assert refusal(api().post("/pages", {"name": "x"})) == (401, "unauthenticated")


@pytest.mark.parametrize("uuid", ["ann", "ANN", "aNn"])
def test_a_uuid_is_taken_in_any_case(api: Api, page: Page, eve: User, uuid: str) -> None:
    with no_trace():
        answer = api(eve).post("/pages", {"name": "Mine now", "uuid": uuid, "tags": ["new"]})
        assert refusal(answer) == (409, "uuid_taken")


@pytest.mark.parametrize("uuid", ["ann", "ANN"])
def test_a_page_is_found_in_any_case(api: Api, page: Page, uuid: str) -> None:
    assert api().get(f"/pages/{uuid}").json()["uuid"] == "ann"


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_want_a_uuid_at_once_exactly_one_gets_it(api: Api, events: Events) -> None:
    uuids = ["garden", "GARDEN", "Garden", "gARDEN"] * 5
    people = [new_user(f"user-{number}") for number in range(20)]
    answers = at_once(
        *(
            lambda who=who, uuid=uuid: api(who).post("/pages", {"name": "Garden", "uuid": uuid})
            for who, uuid in zip(people, uuids, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert Page.objects.count() == 1
    assert events() == ["page.created"]


@pytest.mark.parametrize("uuid", ["a", "-", "_a-B9", "x" * 30])
def test_uuids_that_are_fine(api: Api, ann: User, uuid: str) -> None:
    assert api(ann).post("/pages", {"name": "x", "uuid": uuid}).json()["uuid"] == uuid


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uuid", ""),
        ("uuid", "x" * 31),
        ("uuid", "a b"),
        ("uuid", "a/b"),
        ("uuid", "a.b"),
        ("uuid", "сад"),
        ("uuid", "a\nb"),
        ("uuid", None),
        ("uuid", ["a"]),
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", None),
        ("name", {}),
        ("description", "x" * 1001),
        ("description", None),
        ("is_private", "perhaps"),
        ("is_private", None),
        ("tags", None),
        ("tags", "garden"),
        ("tags", {"0": "garden"}),
    ],
)
def test_a_field_outside_its_limits_is_bad_input(
    api: Api, ann: User, field: str, value: Any
) -> None:
    with no_trace():
        answer = api(ann).post("/pages", {"name": "Garden", field: value})
        assert bad_fields(answer) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "x" * 100), ("name", "Сад 🌻"), ("description", "ы" * 1000), ("description", "")],
)
def test_a_field_at_its_limit_is_kept(api: Api, ann: User, field: str, value: str) -> None:
    made = api(ann).post("/pages", {"name": "Garden", field: value}).json()
    assert made[field] == value


def tags_of(api: Api, owner: User, tags: list[Any]) -> Any:
    answer = api(owner).post("/pages", {"name": "Garden", "tags": tags})
    return sorted(answer.json()["tags"]) if answer.status_code == 201 else answer


def test_tags_are_the_same_however_they_are_written(api: Api, ann: User) -> None:
    written = ["Garden", " GARDEN ", "garden", "ｇａｒｄｅｎ", "Ёлка", "Kitchen \u3000  Garden"]
    assert tags_of(api, ann, written) == ["garden", "kitchen garden", "ёлка"]
    assert Tag.objects.count() == 3


def test_two_pages_share_a_tag(api: Api, ann: User, eve: User) -> None:
    assert tags_of(api, ann, ["garden", "flowers"]) == ["flowers", "garden"]
    assert tags_of(api, eve, ["garden"]) == ["garden"]
    assert Tag.objects.count() == 2


def test_a_page_has_at_most_ten_tags_of_at_most_thirty_characters(api: Api, ann: User) -> None:
    ten = [f"tag-{number}" for number in range(10)]
    assert tags_of(api, ann, ten) == ten
    assert tags_of(api, ann, [*ten[:9], "TAG-0"]) == ten[:9]
    assert tags_of(api, ann, ["x" * 30]) == ["x" * 30]
    with no_trace():
        assert bad_fields(tags_of(api, ann, [*ten, "one more"])) == ["tags"]
        assert bad_fields(tags_of(api, ann, ["x" * 31])) == ["tags.0"]
        assert bad_fields(tags_of(api, ann, ["fine", " "])) == ["tags.1"]


@pytest.mark.django_db(transaction=True)
def test_many_pages_with_the_same_new_tags_at_once(api: Api, ann: User) -> None:
    tags = [f"tag-{number}" for number in range(10)]
    made = at_once(*(lambda t=t: tags_of(api, ann, t) for t in [tags, tags[::-1]] * 5))
    assert made == [tags] * 10
    assert Tag.objects.count() == 10


def test_own_pages_are_listed_newest_first_private_and_blocked_ones_too(
    api: Api, ann: User, eve: User
) -> None:
    new_page(ann, uuid="public")
    new_page(ann, uuid="private", is_private=True)
    new_page(ann, uuid="blocked")
    Page.objects.filter(uuid="blocked").update(blocked_for_good=True)
    new_page(eve)
    mine = api(ann).walk("/users/me/pages", limit=2)
    assert [page["uuid"] for page in mine] == ["blocked", "private", "public"]
