"""Requests to follow a private page, and what becomes of them."""

from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import (
    Api,
    Events,
    at_once,
    bad_fields,
    make_follower,
    new_page,
    new_user,
    no_trace,
    refusal,
)
from innotter.events.models import OutboxEvent
from innotter.pages.follows import follow
from innotter.pages.models import Follow, Page

REQUESTS = "/pages/ann-private/follow-requests"


def ask(page: Page, *usernames: str) -> list[User]:
    users = [new_user(username) for username in usernames]
    for user in users:
        assert follow(actor=user, page=page).viewer_follow == "requested"
    return users


def standing(page: Page) -> tuple[set[str], set[str], int]:
    """Who follows, who waits, and how many followers are counted."""
    page.refresh_from_db()
    follows = Follow.objects.filter(page=page).select_related("user")
    return (
        {f.user.username for f in follows if f.accepted_at},
        {f.user.username for f in follows if not f.accepted_at},
        page.followers_count,
    )


def test_the_owner_sees_who_waits_oldest_first(api: Api, ann: User, private_page: Page) -> None:
    ask(private_page, "a", "b", "c", "d", "e")
    make_follower(new_user("accepted"), private_page)
    rows = api(ann).walk(REQUESTS, limit=2)
    assert [row["user"]["username"] for row in rows] == ["a", "b", "c", "d", "e"]
    assert rows[0].keys() == {"user", "created_at"}
    assert "email" not in rows[0]["user"]
    assert rows[0]["created_at"].endswith("Z")


@pytest.mark.parametrize("who", [None, "eve", "bob", "moderator", "admin"])
@pytest.mark.usefixtures("bob")
def test_nobody_else_sees_who_waits(
    api: Api, request: pytest.FixtureRequest, who: str | None
) -> None:
    user = request.getfixturevalue(who) if who else None
    assert api(user).get(REQUESTS).status_code == (403 if who else 401)


@pytest.mark.parametrize(
    ("body", "answered"),
    [
        ({"usernames": ["a"]}, {"a"}),
        ({"usernames": ["A", "a", "b"]}, {"a", "b"}),
        ({"usernames": ["a", "nobody", "ann", "accepted"]}, {"a"}),
        ({"usernames": ["nobody", "🌻", "x" * 500]}, set()),
        ({"usernames": []}, set()),
        ({"all": True}, {"a", "b", "c"}),
    ],
)
@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_one_several_or_all_are_answered(
    *,
    api: Api,
    ann: User,
    private_page: Page,
    events: Events,
    body: Any,
    answered: set[str],
    verb: str,
) -> None:
    ask(private_page, "a", "b", "c")
    make_follower(new_user("accepted"), private_page)
    before = len(events())
    answer = api(ann).post(f"{REQUESTS}/{verb}", body)
    assert (answer.status_code, answer.json()) == (200, {"count": len(answered)})
    followers = {"accepted"} | (answered if verb == "accept" else set())
    assert standing(private_page) == (followers, {"a", "b", "c"} - answered, len(followers))
    assert events()[before:] == [f"page.follow_request_{verb}ed"] * len(answered)
    with no_trace():
        assert api(ann).post(f"{REQUESTS}/{verb}", body).json() == {"count": 0}


def test_the_event_says_whose_request_of_which_page(
    api: Api, ann: User, private_page: Page
) -> None:
    (asker,) = ask(private_page, "asker")
    api(ann).post(f"{REQUESTS}/accept", {"all": True})
    event = OutboxEvent.objects.get(type="page.follow_request_accepted").body
    assert event["actor"] == str(ann.id)
    assert event["payload"] == {"page_id": str(private_page.id), "user_id": str(asker.id)}


def test_requests_to_other_pages_go_on_waiting(api: Api, ann: User, private_page: Page) -> None:
    other = new_page(ann, uuid="other", is_private=True)
    (asker,) = ask(private_page, "asker")
    follow(actor=asker, page=other)
    for verb in ("accept", "reject"):
        api(ann).post(f"/pages/ann-private/follow-requests/{verb}", {"all": True})
    assert standing(other) == (set(), {"asker"}, 0)


def test_who_was_rejected_may_ask_again(api: Api, ann: User, private_page: Page) -> None:
    (asker,) = ask(private_page, "asker")
    api(ann).post(f"{REQUESTS}/reject", {"all": True})
    assert api(asker).get("/pages/ann-private").json()["viewer"]["follow"] == "none"
    assert api(asker).post("/pages/ann-private/follow").json() == {"follow": "requested"}


@pytest.mark.parametrize("verb", ["accept", "reject"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        (None, ""),
        ([], ""),
        ({"usernames": ["asker"], "all": True}, ""),
        ({"usernames": ["asker"], "all": False}, "all"),
        ({"all": False}, "all"),
        ({"all": None}, "all"),
        ({"all": "perhaps"}, "all"),
        ({"usernames": None}, "usernames"),
        ({"usernames": "asker"}, "usernames"),
        ({"usernames": [["asker"]]}, "usernames.0"),
        ({"usernames": ["a\0b"]}, "usernames.0"),
        ({"usernames": ["asker"] * 101}, "usernames"),
    ],
)
def test_exactly_one_of_the_two_is_expected(
    *, api: Api, ann: User, private_page: Page, body: Any, field: str, verb: str
) -> None:
    ask(private_page, "asker")
    with no_trace():
        assert bad_fields(api(ann).post(f"{REQUESTS}/{verb}", body)) == [field]


def test_a_public_page_has_nobody_waiting(
    *, api: Api, ann: User, bob: User, private_page: Page, events: Events
) -> None:
    ask(private_page, "a", "b", "c")
    before = len(events())
    assert api(ann).patch("/pages/ann-private", {"is_private": False}).status_code == 200
    assert standing(private_page) == ({"a", "b", "c", "bob"}, set(), 4)
    assert events()[before:] == ["page.follow_request_accepted"] * 3


def test_a_page_that_becomes_private_keeps_its_followers(
    api: Api, ann: User, bob: User, eve: User, page: Page, events: Events
) -> None:
    assert api(ann).patch("/pages/ann", {"is_private": True}).status_code == 200
    assert standing(page) == ({"bob"}, set(), 1)
    assert api(bob).get("/pages/ann/posts").status_code == 200
    assert refusal(api(eve).get("/pages/ann/posts")) == (403, "page_private")
    assert events() == []


def test_answers_cost_the_same_for_few_and_many(
    api: Api, ann: User, private_page: Page, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        ask(private_page, f"user-{number}")
    with django_assert_max_num_queries(14):
        assert api(ann).post(f"{REQUESTS}/accept", {"all": True}).json() == {"count": 30}


# At once


def outcomes(asker: User) -> list[str]:
    return list(
        OutboxEvent.objects.filter(body__payload__user_id=str(asker.id))
        .order_by("id")
        .values_list("type", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_a_request_accepted_and_withdrawn_at_once_ends_in_one_state(
    api: Api, ann: User, private_page: Page
) -> None:
    askers = ask(private_page, *(f"user-{number}" for number in range(8)))
    at_once(
        *(
            lambda who=who: api(who).delete("/pages/ann-private/follow").status_code
            for who in askers
        ),
        *(
            lambda who=who: api(ann).post(f"{REQUESTS}/accept", {"usernames": [who.username]})
            for who in askers
        ),
        lambda: api(ann).post(f"{REQUESTS}/reject", {"usernames": ["user-0", "user-1"]}),
        lambda: api(ann).post(f"{REQUESTS}/accept", {"all": True}),
    )
    # All withdrew: whose request had been accepted by then, unfollowed.
    assert standing(private_page) == (set(), set(), 0)
    for who in askers:
        assert outcomes(who) in (
            ["page.follow_requested", "page.follow_request_withdrawn"],
            ["page.follow_requested", "page.follow_request_rejected"],
            ["page.follow_requested", "page.follow_request_accepted", "page.unfollowed"],
        )


@pytest.mark.django_db(transaction=True)
def test_a_request_accepted_and_rejected_at_once_is_one_of_the_two(
    api: Api, ann: User, private_page: Page
) -> None:
    askers = ask(private_page, *(f"user-{number}" for number in range(6)))
    answers = at_once(
        *(
            lambda verb=verb: api(ann).post(f"{REQUESTS}/{verb}", {"all": True}).json()["count"]
            for verb in ["accept", "reject"] * 5
        )
    )
    assert sum(answers) == 6
    followers, waiting, count = standing(private_page)
    assert (len(followers), waiting) == (count, set())
    for who in askers:
        verb = "accepted" if who.username in followers else "rejected"
        assert outcomes(who) == ["page.follow_requested", f"page.follow_request_{verb}"]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_page_that_becomes_public_meanwhile(
    api: Api, ann: User, private_page: Page
) -> None:
    people = [new_user(f"user-{number}") for number in range(9)]
    at_once(
        *(lambda who=who: api(who).post("/pages/ann-private/follow") for who in people[:5]),
        lambda: api(ann).patch("/pages/ann-private", {"is_private": False}),
        *(lambda who=who: api(who).post("/pages/ann-private/follow") for who in people[5:]),
    )
    assert standing(private_page) == ({who.username for who in people}, set(), 9)
    for who in people:
        assert outcomes(who) in (
            ["page.followed"],
            ["page.follow_requested", "page.follow_request_accepted"],
        )
