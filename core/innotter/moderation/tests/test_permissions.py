"""Who may do what, as the rules' table says it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import Api, new_user, no_trace
from innotter.moderation.models import ModerationAction
from innotter.pages.models import Page
from innotter.posts.models import Post

TOMORROW = timezone.now() + timedelta(days=1)
WITH_END: dict[str, Any] = {"unblock_date": TOMORROW}
FOR_GOOD: dict[str, Any] = {"blocked_for_good": True}

# What is asked for, of Ann's page, her post and Bob; the page's block before it; and the answer
# to nobody, a stranger, the page's owner, a moderator and an admin.
ROLES = ("anonymous", "eve", "ann", "moderator", "admin")
UNTIL = {"until": TOMORROW.isoformat()}
TABLE: dict[str, tuple[str, str, Any, dict[str, Any], str]] = {
    "block until": ("post", "/pages/ann/block", UNTIL, {}, "401 403 403 200 200"),
    "block until, again": ("post", "/pages/ann/block", UNTIL, WITH_END, "401 403 403 200 200"),
    "for good to an end": ("post", "/pages/ann/block", UNTIL, FOR_GOOD, "401 403 403 403 200"),
    "block for good": ("post", "/pages/ann/block", {"until": None}, {}, "401 403 403 403 200"),
    "an end to for good": (
        *("post", "/pages/ann/block", {"until": None}, WITH_END),
        "401 403 403 403 200",
    ),
    "lift one with an end": ("delete", "/pages/ann/block", None, WITH_END, "401 403 403 204 204"),
    "lift one for good": ("delete", "/pages/ann/block", None, FOR_GOOD, "401 403 403 403 204"),
    "lift nothing": ("delete", "/pages/ann/block", None, {}, "401 403 403 204 204"),
    "block a user": ("post", "/users/bob/block", None, {}, "401 403 403 403 204"),
    "unblock a user": ("delete", "/users/bob/block", None, {}, "401 403 403 403 204"),
    "set a role": ("put", "/users/bob/role", {"role": "admin"}, {}, "401 403 403 403 200"),
    "delete a post": ("delete", "/posts/{post}", None, {}, "401 403 204 204 204"),
}

type Cast = Callable[[str], User | None]


@pytest.fixture
def cast(ann: User, bob: User, eve: User, moderator: User, admin: User) -> Cast:
    people = {user.username: user for user in (ann, eve, moderator, admin)}
    return people.get


@pytest.mark.parametrize(
    ("action", "role", "status"),
    [
        (action, role, int(status))
        for action, row in TABLE.items()
        for role, status in zip(ROLES, row[-1].split(), strict=True)
    ],
)
def test_each_role_may_do_what_the_table_says_and_a_refusal_leaves_no_trace(
    api: Api, cast: Cast, page: Page, post: Post, *, action: str, role: str, status: int
) -> None:
    method, path, body, block, _ = TABLE[action]
    Page.objects.filter(pk=page.pk).update(**block)
    call = getattr(api(cast(role)), method)

    def answered() -> int:
        return int(call(path.format(post=post.id), body).status_code)

    # The page that is blocked for good is not to be found by a stranger, who is refused before.
    if status < 400:
        assert answered() == status
    else:
        with no_trace():
            assert answered() == status


def test_a_moderator_who_owns_the_page_deletes_as_its_owner(
    api: Api, moderator: User, post: Post
) -> None:
    Page.objects.update(owner=moderator)
    assert api(moderator).delete(f"/posts/{post.id}").status_code == 204
    assert not ModerationAction.objects.exists()


@pytest.mark.parametrize("username", ["nobody", "me", "%00"])
def test_who_is_not_there_is_not_found(api: Api, admin: User, username: str) -> None:
    assert api(admin).post(f"/users/{username}/block").status_code == 404
    assert api(admin).put(f"/users/{username}/role", {"role": "user"}).status_code == 404
    assert api(admin).post(f"/pages/{username}/block", UNTIL).status_code == 404


def test_a_blocked_admin_can_do_nothing(api: Api, bob: User) -> None:
    blocked = new_user("blocked", role=User.Role.ADMIN, is_blocked=True)
    with no_trace():
        assert api(blocked).post("/users/bob/block").status_code == 401
