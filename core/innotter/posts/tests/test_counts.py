"""The stored counts are the truth, whatever happens at once; a command looks and repairs."""

import io
import random
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db.models import F

from innotter.accounts.models import User
from innotter.conftest import Api, at_once, make_follower, new_page, new_post, new_user, no_trace
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like


def check_counts(*arguments: str) -> tuple[int, list[str]]:
    """The command's exit code and its lines."""
    out = io.StringIO()
    try:
        call_command("check_counts", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


@pytest.fixture
def counted(bob: User, post: Post) -> Post:
    """A post on a page, with a follower, a like and a reply."""
    like(actor=bob, post=post)
    new_post(post.page, reply_to=post)
    return post


def test_what_is_right_is_left_alone(counted: Post) -> None:
    with no_trace():
        assert check_counts() == (0, ["0 wrong counts"])
        assert check_counts("--fix") == (0, ["0 wrong counts"])


@pytest.mark.parametrize(
    "field", ["followers_count", "posts_count", "likes_count", "replies_count"]
)
def test_a_wrong_count_is_found_and_corrected(counted: Post, field: str) -> None:
    row: Page | Post = counted.page if hasattr(counted.page, field) else counted
    row.refresh_from_db()
    truth = getattr(row, field)
    type(row)._default_manager.filter(pk=row.pk).update(**{field: F(field) + 7})
    line = f"{row._meta.verbose_name} {row.pk}: {field} is {truth + 7}, counted {truth}"
    with no_trace():
        assert check_counts() == (1, [line, "1 wrong counts"])
    assert check_counts("--fix") == (0, [line, "1 wrong counts, corrected"])
    assert check_counts() == (0, ["0 wrong counts"])
    row.refresh_from_db()
    assert getattr(row, field) == truth


@pytest.mark.django_db(transaction=True)
def test_counts_never_drift_in_a_storm(api: Api, ann: User) -> None:
    """Twenty clients follow, unfollow, accept, reject, withdraw, write, answer, like, unlike,
    and delete posts and a page, on the same few pages."""
    people = [new_user(f"user-{number}") for number in range(6)]
    pages = [
        new_page(ann, uuid=f"page-{number}", is_private=number % 2 == 0) for number in range(4)
    ]
    posts = [new_post(page) for page in pages for _ in range(2)]
    for page in pages:
        make_follower(people[0], page)

    def deletes_the_newest_post_of(path: str) -> int:
        found = api(ann).get(f"{path}/posts", limit=1).json().get("results")
        return api(ann).delete(f"/posts/{found[0]['id']}").status_code if found else 204

    def client(seed: int) -> list[int]:
        chance = random.Random(seed)

        def act() -> int:
            who, page, post = chance.choice(people), chance.choice(pages), chance.choice(posts)
            path = f"/pages/{page.uuid}"
            verb = chance.choice(["accept", "reject"])
            reply = {"content": "x", "reply_to": str(post.id)}
            calls: list[Callable[[], int]] = [
                lambda: api(who).post(f"{path}/follow").status_code,
                lambda: api(who).post(f"{path}/follow").status_code,
                lambda: api(who).delete(f"{path}/follow").status_code,
                lambda: api(ann).post(f"{path}/follow-requests/{verb}", {"all": True}).status_code,
                lambda: api(ann).patch(path, {"is_private": chance.random() < 0.5}).status_code,
                lambda: api(ann).post(f"{path}/posts", {"content": "x"}).status_code,
                lambda: api(ann).post(f"{path}/posts", reply).status_code,
                lambda: api(who).post(f"/posts/{post.id}/like").status_code,
                lambda: api(who).delete(f"/posts/{post.id}/like").status_code,
                lambda: deletes_the_newest_post_of(path),
            ]
            return chance.choice(calls)()

        return [act() for _ in range(15)]

    def deleter() -> list[int]:
        return [*client(19), api(ann).delete("/pages/page-0").status_code]

    answers = at_once(*(lambda seed=seed: client(seed) for seed in range(19)), deleter)
    assert {status for statuses in answers for status in statuses} <= {
        *(200, 201, 204),
        *(400, 403, 404),
    }
    assert check_counts() == (0, ["0 wrong counts"])
    for page in Page.objects.filter(is_private=False):
        assert not page.follows.filter(accepted_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_counts_are_corrected_while_people_go_on(api: Api, ann: User, post: Post) -> None:
    people = [new_user(f"user-{number}") for number in range(10)]
    Page.objects.update(followers_count=50)
    Post.objects.update(likes_count=50)
    at_once(
        *(lambda who=who: api(who).post("/pages/ann/follow").status_code for who in people),
        *(lambda who=who: api(who).post(f"/posts/{post.id}/like").status_code for who in people),
        lambda: check_counts("--fix"),
    )
    assert check_counts() == (0, ["0 wrong counts"])
