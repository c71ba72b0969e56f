"""The feed against a plain statement of what it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.conftest import Api, new_page, new_post, property_test, refusal
from innotter.feed import selectors
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post

NOW = datetime.now(UTC)
BLOCKS: dict[str, dict[str, Any]] = {
    "none": {},
    "runs": {"unblock_date": NOW + timedelta(days=1)},
    "ended": {"unblock_date": NOW - timedelta(days=1)},
    "for good": {"blocked_for_good": True},
}


@dataclass(frozen=True)
class PlannedPage:
    owner: str  # "viewer", "somebody" or "blocked"
    follow: str  # "none", "requested" or "following"
    is_private: bool
    block: str

    def in_feed(self, viewer_role: str) -> bool:
        """The rule: own pages, and followed ones that the viewer may see."""
        if self.owner == "viewer":
            return True
        blocked = self.block in ("runs", "for good") or self.owner == "blocked"
        return self.follow == "following" and (viewer_role != "user" or not blocked)


pages = st.builds(
    PlannedPage,
    owner=st.sampled_from(["viewer", "somebody", "somebody", "somebody", "blocked"]),
    follow=st.sampled_from(["none", "requested", "following", "following", "following"]),
    is_private=st.booleans(),
    block=st.sampled_from(["none", "none", *BLOCKS]),
)


@pytest.fixture(params=[(1_000, 0), (1_000, 2), (0, 0), (0, 2)])
def shape(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, recompiled: None
) -> None:
    """All ways to find the feed, with so few of the nearest posts that often several are gone."""
    many, near = request.param
    monkeypatch.setattr(selectors, "MANY_PAGES", many)
    monkeypatch.setattr(selectors, "FIRST_POSTS", 4)
    monkeypatch.setattr(selectors, "FEW_PAGES", 1)
    monkeypatch.setattr(selectors, "NEAR_POSTS_A_PAGE", near)
    monkeypatch.setattr(selectors, "MOST_NEAR_POSTS", 6)


@pytest.mark.usefixtures("shape")
@property_test
@given(
    plan=st.lists(pages, max_size=8),
    # Who posts, from the oldest post to the newest.
    posts=st.lists(st.integers(0, 7), max_size=30),
    role=st.sampled_from(["user", "user", "moderator", "admin"]),
    limit=st.integers(1, 5),
)
# The nearest posts hold one of the feed's, and not all that are asked for.
@example(
    plan=[
        PlannedPage("somebody", "following", is_private=False, block="none"),
        PlannedPage("somebody", "none", is_private=False, block="none"),
    ],
    posts=[0, 0, 0, 1],
    role="user",
    limit=2,
)
# The same of more pages than a few.
@example(
    plan=[
        *[PlannedPage("somebody", "following", is_private=False, block="none")] * 4,
        PlannedPage("somebody", "none", is_private=False, block="none"),
    ],
    posts=[0, 1, 2, 4, 4, 4, 3],
    role="user",
    limit=1,
)
def test_the_feed_is_what_the_rule_says_both_ways(
    *, api: Api, db: None, plan: list[PlannedPage], posts: list[int], role: str, limit: int
) -> None:
    with transaction.atomic():
        viewer, made_pages = build(plan, role)
        posts = [number for number in posts if number < len(plan)]
        made = Post.objects.bulk_create(
            Post(page=made_pages[number], content=f"{place}") for place, number in enumerate(posts)
        )
        expected = [
            str(post.id)
            for post, number in zip(made, posts, strict=True)
            if plan[number].in_feed(role)
        ][::-1]
        there, back = api(viewer).there_and_back("/feed", limit=limit)
        assert [row["id"] for row in there] == expected
        assert [row["id"] for row in back] == expected
        transaction.set_rollback(True)


def build(plan: list[PlannedPage], role: str) -> tuple[User, list[Page]]:
    owners = {
        name: User(
            username=name,
            email=f"{name}@example.com",
            role=role if name == "viewer" else "user",
            is_blocked=name == "blocked",
        )
        for name in ("viewer", "somebody", "blocked")
    }
    User.objects.bulk_create(owners.values())
    made = Page.objects.bulk_create(
        Page(owner=owners[page.owner], name="x", is_private=page.is_private, **BLOCKS[page.block])
        for page in plan
    )
    Follow.objects.bulk_create(
        Follow(
            page=row,
            user=owners["viewer"],
            accepted_at=NOW if page.follow == "following" else None,
        )
        for page, row in zip(plan, made, strict=True)
        if page.follow != "none" and page.owner != "viewer"
    )
    return owners["viewer"], made


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["results"]]


def test_bobs_feed_shows_a_post_as_the_page_does(api: Api, bob: User, post: Post) -> None:
    assert api(bob).get("/feed").json()["results"] == [api(bob).get(f"/posts/{post.id}").json()]


def test_anns_feed_shows_her_own_pages(api: Api, ann: User, page: Page, private_page: Page) -> None:
    written = [str(new_post(place).id) for place in (page, private_page, page)]
    assert ids(api(ann).get("/feed").json()) == written[::-1]


def test_eves_feed_is_empty_until_she_follows(api: Api, eve: User, post: Post) -> None:
    assert api(eve).get("/feed").json() == {"next": None, "previous": None, "results": []}
    api(eve).post("/pages/ann/follow")
    assert ids(api(eve).get("/feed").json()) == [str(post.id)]
    api(eve).delete("/pages/ann/follow")
    assert ids(api(eve).get("/feed").json()) == []


def test_a_request_that_waits_shows_nothing(api: Api, eve: User, private_page: Page) -> None:
    new_post(private_page)
    api(eve).post("/pages/ann-private/follow")
    assert ids(api(eve).get("/feed").json()) == []


def test_the_feed_is_for_those_who_are_signed_in(api: Api, db: None) -> None:
    assert refusal(api().get("/feed")) == (401, "unauthenticated")


def test_posts_that_come_and_go_move_nothing(api: Api, bob: User, page: Page) -> None:
    other = new_page(page.owner, uuid="other")
    Follow.objects.create(user=bob, page=other, accepted_at=NOW)
    posts = [new_post(place) for place in (page, other) * 5][::-1]
    met: list[str] = []
    for answer in api(bob).answers("/feed", limit=3):
        if not met:
            new_post(page)
            # The row that the cursor names, one that was met, and one that was not.
            for gone in (posts[2], posts[0], posts[4]):
                Post.objects.filter(pk=gone.pk).delete()
        met += ids(answer)
    assert met == [str(post.id) for post in posts if post is not posts[4]]
    assert all(newer > older for newer, older in pairwise(met))


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_newest_posts_are_found_on_whichever_of_many_pages_they_are(
    api: Api, ann: User, limit: int
) -> None:
    pages = [new_page(ann) for _ in range(5)]
    posts = [str(new_post(page).id) for page in (*pages, *pages[::-1])][::-1]
    there, back = api(ann).there_and_back("/feed", limit=limit)
    assert [row["id"] for row in there] == [row["id"] for row in back] == posts


@pytest.mark.parametrize("limit", [11, 100])
def test_one_busy_page_does_not_hide_the_others(
    api: Api, bob: User, page: Page, private_page: Page, limit: int
) -> None:
    oldest = new_post(private_page)
    Post.objects.bulk_create(Post(page=page, content=f"{number}") for number in range(120))
    newest = new_post(private_page)
    whole = [row["id"] for row in api(bob).walk("/feed", limit=limit)]
    assert (len(whole), whole[0], whole[-1]) == (122, str(newest.id), str(oldest.id))
