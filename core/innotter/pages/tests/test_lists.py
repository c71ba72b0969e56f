"""Lists of pages, of those who follow them, and of tags: who finds what, in which order."""

from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.common import database
from innotter.common.errors import Forbidden
from innotter.common.pagination import Window
from innotter.conftest import Api, make_follower, new_page, new_user, refusal
from innotter.pages.models import Page
from innotter.pages.selectors import PagePrivate, followers_of, requests_of


@pytest.fixture
def garden(ann: User) -> list[Page]:
    """Ann's pages: public, private, blocked; all tagged `garden`, and with their own uuid."""
    pages = [
        new_page(ann, uuid="public", tags=["garden", "gate", "public"]),
        new_page(ann, uuid="private", tags=["garden", "gate", "private"], is_private=True),
        new_page(ann, uuid="blocked", tags=["garden", "blocked"]),
    ]
    Page.objects.filter(uuid="blocked").update(blocked_for_good=True)
    return pages


def found(api: Api, user: User | None, path: str, **query: Any) -> list[str]:
    return [page["uuid"] for page in api(user).walk(path, limit=1, **query)]


# Pages


@pytest.mark.parametrize(
    "query",
    [
        {"tag": "garden"},
        {"tag": " GARDEN "},
        {"tag": "ｇａｒｄｅｎ"},
        {"owner": "ann"},
        {"owner": "ANN"},
        {"tag": "garden", "owner": "Ann"},
        {},
    ],
)
@pytest.mark.usefixtures("garden")
def test_pages_are_filtered_by_tag_and_owner(
    api: Api, ann: User, eve: User, moderator: User, query: dict[str, str]
) -> None:
    new = new_page(eve, uuid="eve", tags=["roses"])
    others = [] if any(query.values()) else [new.uuid]
    for user, pages in [
        (None, ["private", "public"]),
        (eve, ["private", "public"]),
        (ann, ["blocked", "private", "public"]),
        (moderator, ["blocked", "private", "public"]),
    ]:
        assert found(api, user, "/pages", **query) == others + pages


@pytest.mark.parametrize(
    "query",
    [
        {"tag": "nothing"},
        {"tag": "gard"},
        {"tag": "x" * 500},
        {"tag": "%"},
        {"owner": "nobody"},
        {"owner": "eve"},
        {"owner": "me"},
        {"owner": "ann", "tag": "roses"},
    ],
)
@pytest.mark.usefixtures("garden")
def test_an_unknown_tag_or_owner_finds_nothing(api: Api, eve: User, query: dict[str, str]) -> None:
    assert found(api, eve, "/pages", **query) == []


@pytest.mark.parametrize("path", ["/pages?tag=%00", "/pages?owner=a%00", "/tags?q=%00"])
def test_what_cannot_be_text_is_bad_input(api: Api, db: None, path: str) -> None:
    assert refusal(api().get(path)) == (400, "invalid")


@pytest.mark.usefixtures("garden")
def test_the_pages_of_a_user_are_those_that_one_may_find(
    api: Api, ann: User, eve: User, moderator: User
) -> None:
    new_page(eve)
    assert found(api, None, "/users/ANN/pages") == ["private", "public"]
    assert found(api, eve, "/users/ann/pages") == ["private", "public"]
    assert found(api, ann, "/users/ann/pages") == ["blocked", "private", "public"]
    User.objects.filter(username="ann").update(is_blocked=True)
    assert refusal(api(eve).get("/users/ann/pages")) == (404, "not_found")
    assert found(api, moderator, "/users/ann/pages") == ["blocked", "private", "public"]
    assert refusal(api().get("/users/nobody/pages")) == (404, "not_found")


def test_pages_that_one_follows_latest_first(
    api: Api, ann: User, eve: User, garden: list[Page]
) -> None:
    public, private, blocked = garden
    asked = new_page(ann, uuid="asked", is_private=True)
    Page.objects.filter(pk=blocked.pk).update(blocked_for_good=False)
    for page in (private, blocked, public):
        make_follower(eve, page)
    Page.objects.filter(pk=blocked.pk).update(blocked_for_good=True)
    make_follower(new_user("dora"), asked)
    api(eve).post("/pages/asked/follow")
    assert found(api, eve, "/users/me/follows") == ["public", "private"]
    (latest, _) = api(eve).walk("/users/me/follows")
    assert latest == api(eve).get("/pages/public").json()
    Page.objects.filter(uuid="blocked").update(blocked_for_good=False)
    assert found(api, eve, "/users/me/follows") == ["public", "blocked", "private"]
    assert api(eve).there_and_back("/users/me/follows", limit=2)[1] == api(eve).walk(
        "/users/me/follows"
    )
    assert refusal(api().get("/users/me/follows")) == (401, "unauthenticated")


# Followers


def test_followers_latest_first(api: Api, page: Page, private_page: Page) -> None:
    people = [new_user(f"user-{number}") for number in range(5)]
    for user in people:
        make_follower(user, page)
    make_follower(people[0], private_page)
    there, back = api().there_and_back("/pages/ann/followers", limit=2)
    assert [user["username"] for user in there] == [user.username for user in people[::-1]]
    assert there == back
    assert there[0] == api().get("/users/user-4").json()


def test_followers_are_seen_by_those_who_see_the_posts(
    *, api: Api, ann: User, bob: User, eve: User, moderator: User, page: Page, private_page: Page
) -> None:
    asker = new_user("asker")
    api(asker).post("/pages/ann-private/follow")
    for user in (ann, bob, moderator):
        (row,) = api(user).walk("/pages/ann-private/followers")
        assert row["username"] == "bob"
    for stranger in (None, eve, asker):
        answer = api(stranger).get("/pages/ann-private/followers")
        assert refusal(answer) == (403, "page_private")
    Page.objects.update(blocked_for_good=True)
    for stranger in (None, eve, asker, bob):
        for uuid in ("ann", "ann-private", "nothing"):
            assert refusal(api(stranger).get(f"/pages/{uuid}/followers")) == (404, "not_found")
    assert api(moderator).get("/pages/ann/followers").status_code == 200


# Tags


def tags(api: Api, user: User | None, **query: Any) -> dict[str, int]:
    rows = api(user).walk("/tags", limit=1, **query)
    assert all(row.keys() == {"name", "pages_count"} for row in rows)
    return {row["name"]: row["pages_count"] for row in rows}


@pytest.mark.usefixtures("garden")
def test_tags_are_counted_by_the_pages_that_one_may_find(
    api: Api, ann: User, eve: User, moderator: User
) -> None:
    some = {"garden": 2, "gate": 2, "private": 1, "public": 1}
    everything = {"blocked": 1, **some, "garden": 3}
    assert tags(api, None) == tags(api, eve) == some
    assert tags(api, ann) == tags(api, moderator) == everything
    assert list(tags(api, ann)) == sorted(everything)
    User.objects.filter(username="ann").update(is_blocked=True)
    assert tags(api, eve) == {}


@pytest.mark.usefixtures("garden")
@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("ga", ["garden", "gate"]),
        (" GA", ["garden", "gate"]),
        ("garden", ["garden"]),
        ("gardens", []),
        ("arden", []),
        ("%", []),
        ("_", []),
        ("\\", []),
    ],
)
def test_tags_are_found_by_what_they_begin_with(api: Api, q: str, names: list[str]) -> None:
    assert list(tags(api, None, q=q)) == names


def test_a_tag_that_no_page_has_any_more_is_gone(api: Api, ann: User, page: Page) -> None:
    api(ann).put("/pages/ann/tags/garden")
    assert tags(api, None) == {"garden": 1}
    api(ann).delete("/pages/ann/tags/garden")
    assert tags(api, None) == {}


@pytest.mark.usefixtures("garden")
def test_tags_are_one_query(api: Api, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        api().get("/tags", q="g")


@pytest.mark.usefixtures("recompiled")
def test_counting_the_pages_of_a_tag_has_an_end(
    api: Api, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_COUNTED", 2)
    for _ in range(3):
        new_page(ann, tags=["garden"])
    assert api().get("/tags").json()["results"] == [{"name": "garden", "pages_count": 2}]


# Whichever front end asks


def test_followers_are_told_to_those_who_see_the_posts(
    private_page: Page, bob: User, eve: User, moderator: User
) -> None:
    for viewer in (bob, private_page.owner, moderator):
        assert list(followers_of(private_page.uuid, viewer, Window())) == [bob]
    with pytest.raises(PagePrivate):
        followers_of(private_page.uuid, eve, Window())


def test_requests_are_told_to_the_owner(private_page: Page, bob: User, moderator: User) -> None:
    assert list(requests_of(private_page.uuid, private_page.owner, Window())) == []
    for viewer in (bob, moderator):
        with pytest.raises(Forbidden):
            requests_of(private_page.uuid, viewer, Window())
