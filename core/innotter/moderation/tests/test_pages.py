from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import Api, bad_fields, no_trace, refusal
from innotter.moderation.models import ModerationAction
from innotter.pages.models import Page
from innotter.posts.models import Post

TOMORROW = timezone.now() + timedelta(days=1)
FOR_GOOD = {"until": None}


def until(moment: datetime) -> dict[str, Any]:
    return {"until": moment.isoformat()}


def log() -> list[dict[str, Any]]:
    """The log, oldest first, without ids and times."""
    fields = ("actor__username", "action", "target_kind", "target", "reason", "until")
    return list(ModerationAction.objects.order_by("id").values(*fields))


def test_a_block_has_an_end_or_none(api: Api, moderator: User, admin: User, page: Page) -> None:
    blocked = api(moderator).post("/pages/ann/block", until(TOMORROW)).json()
    assert blocked["is_blocked"] is True
    assert datetime.fromisoformat(blocked["unblock_date"]) == TOMORROW
    blocked = api(admin).post("/pages/ANN/block", FOR_GOOD).json()
    assert (blocked["is_blocked"], blocked["unblock_date"]) == (True, None)


def test_a_block_that_ends_lifts_itself(
    api: Api, moderator: User, eve: User, bob: User, post: Post
) -> None:
    api(moderator).post("/pages/ann/block", until(TOMORROW))
    for moment, status in [(TOMORROW - timedelta(seconds=1), 404), (TOMORROW, 200)]:
        with time_machine.travel(moment, tick=False):
            assert api(eve).get("/pages/ann").status_code == status
            assert api(bob).get(f"/posts/{post.id}").status_code == status
            assert api(moderator).get("/pages/ann").json()["is_blocked"] == (status == 404)


def test_the_owner_of_a_blocked_page_sees_it_and_cannot_write(
    api: Api, moderator: User, ann: User, page: Page
) -> None:
    api(moderator).post("/pages/ann/block", until(TOMORROW))
    assert api(ann).get("/pages/ann").json()["is_blocked"]
    with no_trace():
        refused = api(ann).post("/pages/ann/posts", {"content": "Hello"})
    assert refusal(refused) == (403, "page_blocked")


def test_what_is_over_is_nothing_to_lift(api: Api, moderator: User, page: Page) -> None:
    api(moderator).post("/pages/ann/block", until(TOMORROW))
    with time_machine.travel(TOMORROW, tick=False), no_trace():
        assert api(moderator).delete("/pages/ann/block").status_code == 204


def test_the_block_of_the_owner_is_not_lifted_with_the_page(
    api: Api, admin: User, eve: User, page: Page
) -> None:
    api(admin).post("/pages/ann/block", FOR_GOOD)
    api(admin).post("/users/ann/block")
    assert api(admin).delete("/pages/ann/block").status_code == 204
    assert api(eve).get("/pages/ann").status_code == 404
    with no_trace():
        assert api(admin).delete("/pages/ann/block").status_code == 204


def test_a_page_that_was_blocked_and_unblocked_is_what_it_was(
    api: Api, moderator: User, page: Page
) -> None:
    before = Page.objects.values().get(pk=page.pk)
    api(moderator).post("/pages/ann/block", until(TOMORROW))
    assert Page.objects.values().get(pk=page.pk) != before
    api(moderator).delete("/pages/ann/block")
    assert Page.objects.values().get(pk=page.pk) == before


def test_only_an_admin_touches_a_block_for_good(api: Api, moderator: User, page: Page) -> None:
    Page.objects.update(blocked_for_good=True)
    with no_trace():
        for refused in (
            api(moderator).post("/pages/ann/block", until(TOMORROW)),
            api(moderator).post("/pages/ann/block", FOR_GOOD),
            api(moderator).delete("/pages/ann/block"),
        ):
            assert refusal(refused) == (403, "block_for_good")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"until": 1}, "until"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "until"),
        ({"until": None, "reason": "x" * 501}, "reason"),
        ({"until": None, "reason": "a\0b"}, "reason"),
        ({"until": None, "reason": "\ud800"}, "reason"),
        ([], ""),
    ],
)
def test_bad_input_is_refused(api: Api, admin: User, page: Page, body: Any, field: str) -> None:
    with no_trace():
        assert bad_fields(api(admin).post("/pages/ann/block", body)) == [field]


def test_the_present_moment_is_past(api: Api, admin: User, page: Page) -> None:
    with time_machine.travel(TOMORROW, tick=False), no_trace():
        assert bad_fields(api(admin).post("/pages/ann/block", until(TOMORROW))) == ["until"]


def test_every_action_is_in_the_log(
    api: Api, moderator: User, admin: User, page: Page, post: Post
) -> None:
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    api(moderator).post("/pages/ann/block", {**until(moment), "reason": "spam"})
    api(admin).post("/pages/ann/block", {**FOR_GOOD, "reason": "more spam"})
    api(admin).delete("/pages/ann/block", {"reason": "they are sorry"})
    api(moderator).delete(f"/posts/{post.id}")
    kept = [list(row.values()) for row in log()]
    assert kept == [
        ["moderator", "block", "page", "ann", "spam", moment],
        ["admin", "block", "page", "ann", "more spam", None],
        ["admin", "unblock", "page", "ann", "they are sorry", None],
        ["moderator", "delete", "post", "ann: Hello, world", "", None],
    ]
    assert set(ModerationAction.objects.values_list("target_id", flat=True)) == {page.id, post.id}
