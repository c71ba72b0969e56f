from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import Api, Events, at_once, new_page, new_user, no_trace, refusal
from innotter.events.models import OutboxEvent
from innotter.pages.models import Follow, Page


def state(api: Api, user: User, uuid: str) -> tuple[str, int]:
    """How the user stands to the page, and how many follow it."""
    page = api(user).get(f"/pages/{uuid}").json()
    return page["viewer"]["follow"], page["followers_count"]


def test_eve_follows_a_public_page_and_stops(
    api: Api, eve: User, page: Page, events: Events
) -> None:
    assert state(api, eve, "ann") == ("none", 0)
    answer = api(eve).post("/pages/ANN/follow")
    assert (answer.status_code, answer.json()) == (200, {"follow": "following"})
    assert state(api, eve, "ann") == ("following", 1)
    assert api(eve).delete("/pages/ann/follow").status_code == 204
    assert state(api, eve, "ann") == ("none", 0)
    assert events() == ["page.followed", "page.unfollowed"]


def test_eve_asks_to_follow_a_private_page_and_withdraws(
    api: Api, eve: User, private_page: Page, events: Events
) -> None:
    assert api(eve).post("/pages/ann-private/follow").json() == {"follow": "requested"}
    assert state(api, eve, "ann-private") == ("requested", 0)
    assert api(eve).delete("/pages/ann-private/follow").status_code == 204
    assert state(api, eve, "ann-private") == ("none", 0)
    assert events() == ["page.follow_requested", "page.follow_request_withdrawn"]


def test_the_event_says_who_follows_what(api: Api, eve: User, page: Page) -> None:
    api(eve).post("/pages/ann/follow")
    body = OutboxEvent.objects.get(type="page.followed").body
    assert body["actor"] == str(eve.id)
    assert body["payload"] == {"page_id": str(page.id), "user_id": str(eve.id)}


@pytest.mark.parametrize("uuid", ["ann", "ann-private"])
def test_repeating_changes_nothing(
    api: Api, eve: User, page: Page, private_page: Page, uuid: str
) -> None:
    first = api(eve).post(f"/pages/{uuid}/follow").json()
    with no_trace():
        assert api(eve).post(f"/pages/{uuid}/follow").json() == first
    api(eve).delete(f"/pages/{uuid}/follow")
    with no_trace():
        assert api(eve).delete(f"/pages/{uuid}/follow").status_code == 204


def test_an_accepted_follower_of_a_private_page_stays_one(
    api: Api, bob: User, private_page: Page, events: Events
) -> None:
    with no_trace():
        assert api(bob).post("/pages/ann-private/follow").json() == {"follow": "following"}
    api(bob).delete("/pages/ann-private/follow")
    assert state(api, bob, "ann-private") == ("none", 0)
    assert events() == ["page.unfollowed"]


@pytest.mark.parametrize("uuid", ["ann", "ann-private"])
def test_nobody_follows_their_own_page(
    api: Api, ann: User, page: Page, private_page: Page, uuid: str
) -> None:
    with no_trace():
        assert refusal(api(ann).post(f"/pages/{uuid}/follow")) == (409, "own_page")


def test_anonymous_visitors_follow_nothing(api: Api, page: Page) -> None:
    with no_trace():
        assert refusal(api().post("/pages/ann/follow")) == (401, "unauthenticated")
        assert refusal(api().delete("/pages/ann/follow")) == (401, "unauthenticated")


def test_what_cannot_be_seen_cannot_be_followed(api: Api, eve: User, page: Page) -> None:
    Page.objects.update(blocked_for_good=True)
    with no_trace():
        assert refusal(api(eve).post("/pages/ann/follow")) == (404, "not_found")
        assert refusal(api(eve).post("/pages/nothing/follow")) == (404, "not_found")


def test_moderators_follow_like_everybody(api: Api, moderator: User, private_page: Page) -> None:
    assert api(moderator).post("/pages/ann-private/follow").json() == {"follow": "requested"}


@pytest.mark.django_db(transaction=True)
def test_the_count_is_the_truth_after_a_storm(api: Api, page: Page) -> None:
    people = [new_user(f"user-{number}") for number in range(7)]

    def come_and_go(number: int) -> None:
        """As person `number`, whom two or three threads share."""
        for step in range(4):
            call = api(people[number % 7])
            (call.post if (number + step) % 3 else call.delete)("/pages/ann/follow")

    at_once(*(lambda number=number: come_and_go(number) for number in range(20)))
    page.refresh_from_db()
    followed = OutboxEvent.objects.filter(type="page.followed").count()
    unfollowed = OutboxEvent.objects.filter(type="page.unfollowed").count()
    assert page.followers_count == Follow.objects.count() == followed - unfollowed


@pytest.mark.django_db(transaction=True)
def test_twenty_clients_of_one_user_follow_once(
    api: Api, eve: User, page: Page, events: Events
) -> None:
    answers = at_once(*[lambda: api(eve).post("/pages/ann/follow")] * 20)
    assert {answer.status_code for answer in answers} == {200}
    assert state(api, eve, "ann") == ("following", 1)
    assert events() == ["page.followed"]


HIDDEN: dict[str, dict[str, Any]] = {
    "blocked": {"blocked_for_good": True},
    "private": {"is_private": True},
    "blocked and private": {"blocked_for_good": True, "is_private": True},
}


@pytest.mark.parametrize("state", HIDDEN)
@pytest.mark.parametrize("uuid", ["ann", "ann-private"])
def test_a_follow_or_a_request_is_taken_back_without_seeing_the_page(
    api: Api, ann: User, eve: User, events: Events, state: str, uuid: str
) -> None:
    new_page(ann, uuid="ann")
    new_page(ann, uuid="ann-private", is_private=True)
    api(eve).post(f"/pages/{uuid}/follow")
    Page.objects.update(**HIDDEN[state])
    answer = api(eve).delete(f"/pages/{uuid}/follow")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Follow.objects.exists()
    assert Page.objects.get(uuid=uuid).followers_count == 0
    taken_back = {"ann": "page.unfollowed", "ann-private": "page.follow_request_withdrawn"}
    assert events()[-1] == taken_back[uuid]


@pytest.mark.usefixtures("page", "private_page")
def test_taking_back_tells_nothing_of_a_page(api: Api, eve: User) -> None:
    """Whether it is there, hidden or open: the same answer."""
    Page.objects.filter(uuid="ann").update(blocked_for_good=True)
    with no_trace():
        answers = [
            api(eve).delete(f"/pages/{uuid}/follow") for uuid in ("ann", "ann-private", "no")
        ]
    told = [(answer.status_code, answer.content, dict(answer.items())) for answer in answers]
    for _, _, headers in told:
        headers.pop("X-Request-ID")
    assert told[0] == told[1] == told[2]
    assert told[0][:2] == (204, b"")


# The owner removes a follower


def test_a_follower_is_removed_and_may_follow_again(
    api: Api, ann: User, bob: User, private_page: Page, events: Events
) -> None:
    for _ in range(2):
        assert api(ann).delete("/pages/ann-private/followers/BOB").status_code == 204
    assert events() == ["page.unfollowed"]
    event = OutboxEvent.objects.get(type="page.unfollowed").body
    assert (event["actor"], event["payload"]["user_id"]) == (str(ann.id), str(bob.id))
    private_page.refresh_from_db()
    assert private_page.followers_count == 0
    assert refusal(api(bob).get("/pages/ann-private/posts")) == (403, "page_private")
    assert api(bob).post("/pages/ann-private/follow").json() == {"follow": "requested"}
    # A request is answered, and not removed.
    assert api(ann).delete("/pages/ann-private/followers/bob").status_code == 204
    assert api(bob).get("/pages/ann-private").json()["viewer"]["follow"] == "requested"


def test_removing_nobody_changes_nothing(api: Api, ann: User, page: Page) -> None:
    with no_trace():
        assert api(ann).delete("/pages/ann/followers/nobody").status_code == 204
