"""Who sees what: every role before a page in every state, through the endpoint of its profile and
the endpoint of its posts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from innotter.accounts.models import User
from innotter.conftest import Api, new_user, refusal
from innotter.pages.follows import follow
from innotter.pages.models import Page
from innotter.posts.models import Post

NOW = datetime.now(UTC)
TOMORROW, YESTERDAY = NOW + timedelta(days=1), NOW - timedelta(days=1)

STATES: dict[str, dict[str, Any]] = {
    "public": {},
    "private": {"is_private": True},
    "blocked until tomorrow": {"unblock_date": TOMORROW},
    "private, blocked until tomorrow": {"is_private": True, "unblock_date": TOMORROW},
    "blocked until yesterday": {"unblock_date": YESTERDAY},
    "private, blocked until yesterday": {"is_private": True, "unblock_date": YESTERDAY},
    "blocked for good": {"blocked_for_good": True},
    "owner blocked": {},
    "private, owner blocked": {"is_private": True},
}

# Profile and posts: + both, - neither (404), p the profile, while the posts answer 403
# page_private, ! the caller is blocked and gets 401.
#                                   anonymous  requester  owner      admin
#                                        stranger  follower  moderator
TABLE = {
    "public":                           "+  +  +  +  +  +  +",
    "private":                          "p  p  p  +  +  +  +",
    "blocked until tomorrow":           "-  -  -  -  +  +  +",
    "private, blocked until tomorrow":  "-  -  -  -  +  +  +",
    "blocked until yesterday":          "+  +  +  +  +  +  +",
    "private, blocked until yesterday": "p  p  p  +  +  +  +",
    "blocked for good":                 "-  -  -  -  +  +  +",
    "owner blocked":                    "-  -  -  -  !  +  +",
    "private, owner blocked":           "-  -  -  -  !  +  +",
}  # fmt: skip
ROLES = ["anonymous", "stranger", "requester", "follower", "owner", "moderator", "admin"]

ANSWERS: dict[str, tuple[Any, Any]] = {
    "+": (200, 200),
    "-": ((404, "not_found"), (404, "not_found")),
    "p": (200, (403, "page_private")),
    "!": ((401, "user_blocked"), (401, "user_blocked")),
}

type Cast = dict[str, User | None]


@pytest.fixture
def cast(*, ann: User, bob: User, eve: User, moderator: User, admin: User, post: Post) -> Cast:
    """Each role before `page`, which has one post."""
    return {
        "anonymous": None,
        "stranger": eve,
        "requester": _someone_who_asked(post.page),
        "follower": bob,
        "owner": ann,
        "moderator": moderator,
        "admin": admin,
    }


@pytest.mark.parametrize("state", TABLE)
def test_the_table(api: Api, cast: Cast, page: Page, state: str) -> None:
    Page.objects.filter(pk=page.pk).update(**STATES[state])
    User.objects.filter(username="ann").update(is_blocked="owner blocked" in state)
    for role, expected in zip(ROLES, TABLE[state].split(), strict=True):
        caller = api(cast[role])
        endpoints = (caller.get("/pages/ann"), caller.get("/pages/ann/posts"))
        answers = tuple(
            200 if endpoint.status_code == 200 else refusal(endpoint) for endpoint in endpoints
        )
        assert answers == ANSWERS[expected], role


@pytest.mark.parametrize("state", TABLE)
def test_lists_show_what_single_reads_show(api: Api, cast: Cast, page: Page, state: str) -> None:
    """The list of pages, the list of posts, and a post by its id agree with the table."""
    Page.objects.filter(pk=page.pk).update(**STATES[state])
    User.objects.filter(username="ann").update(is_blocked="owner blocked" in state)
    post_id = page.posts.get().id
    for role, expected in zip(ROLES, TABLE[state].split(), strict=True):
        if expected == "!":
            continue
        caller = api(cast[role])
        listed = [found["uuid"] for found in caller.walk("/pages")]
        assert ("ann" in listed) == (expected in "+p"), role
        single = caller.get(f"/posts/{post_id}")
        answer = 200 if single.status_code == 200 else refusal(single)
        assert answer == ANSWERS[expected][1], role


def test_a_block_that_ends_lifts_itself(api: Api, eve: User, post: Post) -> None:
    Page.objects.update(unblock_date=TOMORROW)
    for moment, status in [(TOMORROW - timedelta(seconds=1), 404), (TOMORROW, 200)]:
        with time_machine.travel(moment, tick=False):
            for path in ("/pages/ann", "/pages/ann/posts", f"/posts/{post.id}"):
                assert api(eve).get(path).status_code == status


def test_unblocking_the_owner_restores_exactly_what_was_there(
    api: Api, ann: User, eve: User, page: Page, private_page: Page
) -> None:
    Page.objects.filter(pk=page.pk).update(blocked_for_good=True)
    for is_blocked, status in [(True, 404), (False, 200)]:
        User.objects.filter(pk=ann.pk).update(is_blocked=is_blocked)
        assert api(eve).get("/pages/ann").status_code == 404
        assert api(eve).get("/pages/ann-private").status_code == status


@pytest.mark.parametrize(
    ("state", "is_blocked", "unblock_date"),
    [
        ("public", False, None),
        ("blocked until tomorrow", True, TOMORROW),
        ("blocked until yesterday", False, None),
        ("blocked for good", True, None),
        ("owner blocked", True, None),
    ],
)
def test_a_profile_says_whether_and_until_when_it_is_blocked(
    *,
    api: Api,
    moderator: User,
    page: Page,
    state: str,
    is_blocked: bool,
    unblock_date: datetime | None,
) -> None:
    Page.objects.update(**STATES[state])
    User.objects.filter(username="ann").update(is_blocked=state == "owner blocked")
    profile = api(moderator).get("/pages/ann").json()
    assert profile["is_blocked"] == is_blocked
    end = profile["unblock_date"]
    assert (end and datetime.fromisoformat(end)) == unblock_date


@pytest.mark.parametrize("own_block_ends", [TOMORROW, YESTERDAY])
def test_while_its_owner_is_blocked_no_moment_ends_a_pages_block(
    api: Api, ann: User, moderator: User, page: Page, own_block_ends: datetime
) -> None:
    Page.objects.update(unblock_date=own_block_ends)
    User.objects.filter(pk=ann.pk).update(is_blocked=True)
    profile = api(moderator).get("/pages/ann").json()
    assert (profile["is_blocked"], profile["unblock_date"]) == (True, None)


def _someone_who_asked(page: Page) -> User:
    """Waits for an answer of the page, whatever becomes of it."""
    Page.objects.filter(pk=page.pk).update(is_private=True)
    asker = new_user("requester")
    assert follow(actor=asker, page=page).viewer_follow == "requested"
    Page.objects.filter(pk=page.pk).update(is_private=False)
    return asker
