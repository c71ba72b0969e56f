"""Names and tags that readers can tell, whatever is typed into them."""

from urllib.parse import quote

import pytest

from innotter.accounts.models import User
from innotter.common.tests.test_text import SEQUENCES
from innotter.conftest import PASSWORD, Api, bad_fields, new_page, no_trace
from innotter.pages.models import Page

UNSEEN = ["\u200b", "\u00a0\u2003", "\ufff0", "\u3164\u115f", "\u202e\u202c", "\u0301", "\ue000"]
NO_LINES = ["a\nb", "a\u2028b", "a\u2029b", "a\x85b", "a\x1bb", "a\uffffb", "a\ud800b"]


@pytest.mark.parametrize("name", UNSEEN + NO_LINES)
def test_a_name_that_is_no_visible_line_is_refused(
    api: Api, ann: User, page: Page, name: str
) -> None:
    with no_trace():
        assert bad_fields(api(ann).post("/pages", {"name": name})) == ["name"]
        assert bad_fields(api(ann).patch("/pages/ann", {"name": name})) == ["name"]
        assert bad_fields(api(ann).patch("/users/me", {"title": name})) == ["title"]
        body = {"username": "new", "email": "new@example.com", "password": PASSWORD}
        assert bad_fields(api().post("/auth/register", {**body, "title": name})) == ["title"]


@pytest.mark.parametrize("name", UNSEEN + NO_LINES)
def test_a_tag_that_is_no_visible_line_is_refused(
    api: Api, ann: User, page: Page, name: str
) -> None:
    with no_trace():
        fields = bad_fields(api(ann).patch("/pages/ann", {"tags": [name]}))
    assert fields in (["tags"], ["tags.0"])


@pytest.mark.parametrize("name", [*SEQUENCES, "e\u0301" * 100])
def test_a_name_is_kept_in_nfc(api: Api, ann: User, page: Page, name: str) -> None:
    normal = name.replace("e\u0301", "é")
    assert api(ann).post("/pages", {"name": f" {name} "}).json()["name"] == normal
    assert api(ann).patch("/pages/ann", {"name": name}).json()["name"] == normal
    assert api(ann).patch("/users/me", {"title": name}).json()["title"] == normal


def test_a_text_that_nfc_makes_longer_than_its_column_is_refused(
    api: Api, ann: User, page: Page
) -> None:
    """U+0958 is two in NFC."""
    with no_trace():
        assert bad_fields(api(ann).patch("/pages/ann", {"name": "\u0958" * 51})) == ["name"]
        assert bad_fields(api(ann).patch("/users/me", {"title": "\u0958" * 51})) == ["title"]
        answer = api(ann).patch("/pages/ann", {"description": "\u0958" * 501})
        assert bad_fields(answer) == ["description"]


def test_what_is_not_seen_makes_no_second_tag(api: Api, ann: User, page: Page) -> None:
    written = [
        "sea",
        " sea\u3000",
        "s\u200bea",
        "\u202esea",
        "sea\ufe0f",
        "se\u00ada",
        "\ufff0sea",
        "s\u200dea",
    ]
    assert api(ann).patch("/pages/ann", {"tags": written}).json()["tags"] == ["sea"]
    assert len(api(ann).get("/pages", tag="s\u200bea").json()["results"]) == 1
    assert api(ann).delete(f"/pages/ann/tags/{quote('se\u200ba')}").json()["tags"] == []


@pytest.mark.parametrize("tag", SEQUENCES)
def test_a_tag_of_joined_letters_or_emoji_stays_whole(
    api: Api, ann: User, page: Page, tag: str
) -> None:
    assert api(ann).patch("/pages/ann", {"tags": [tag]}).json()["tags"] == [tag]


@pytest.mark.parametrize("tag", [".", "..", "\u2024", "\uff0e\uff0e", "\u2025", ".\u200b."])
def test_a_tag_that_no_path_can_name_is_refused(api: Api, ann: User, page: Page, tag: str) -> None:
    with no_trace():
        assert bad_fields(api(ann).patch("/pages/ann", {"tags": [tag]})) == ["tags"]
        assert bad_fields(api(ann).put(f"/pages/ann/tags/{quote(tag)}")) == ["tags"]


def test_a_tag_of_endless_marks_is_refused(api: Api, ann: User) -> None:
    new_page(ann, uuid="ann")
    endless = "a" + "\u0327\u0301" * 20_000
    with no_trace():
        assert bad_fields(api(ann).patch("/pages/ann", {"tags": [endless]})) == ["tags.0"]
