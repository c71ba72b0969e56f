from collections.abc import Callable
from functools import partial
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command

from innotter.accounts.logins import log_in
from innotter.accounts.models import Session, User
from innotter.common.errors import DomainError
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    Events,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
)
from innotter.moderation.models import ModerationAction
from innotter.moderation.services import block_user, set_role
from innotter.pages.models import Page


def test_a_blocked_user_is_shut_out_until_unblocked(
    api: Api, admin: User, ann: User, eve: User, page: Page
) -> None:
    session = log_in(login="ann", password=PASSWORD, client=CLIENT)
    hers = api(ann)
    assert api(admin).post("/users/ANN/block").status_code == 204
    assert refusal(hers.get("/users/me")) == (401, "user_blocked")
    login = {"login": "ann", "password": PASSWORD}
    assert refusal(api().post("/auth/login", login)) == (403, "user_blocked")
    assert not Session.objects.filter(user=ann).exists()
    assert api(eve).get("/pages/ann").status_code == 404

    assert api(admin).delete("/users/ann/block").status_code == 204
    assert hers.get("/users/me").status_code == 200
    assert api(eve).get("/pages/ann").status_code == 200
    old = api().post("/auth/refresh", {"refresh": session.refresh})
    assert refusal(old) == (401, "invalid_refresh_token")
    assert api().post("/auth/login", login).status_code == 200


def test_one_event_is_published(api: Api, admin: User, ann: User, events: Events) -> None:
    for _ in range(2):
        assert api(admin).post("/users/ann/block", {"reason": "rude"}).status_code == 204
    assert events() == ["user.blocked"]
    for _ in range(2):
        assert api(admin).delete("/users/ann/block", {"reason": "sorry"}).status_code == 204
    assert events() == ["user.blocked", "user.unblocked"]
    kept = ModerationAction.objects.order_by("id").values_list("action", "target", "reason")
    assert list(kept) == [("block", "ann", "rude"), ("unblock", "ann", "sorry")]


def test_unblocking_restores_exactly_what_was_there(
    api: Api, admin: User, ann: User, page: Page, private_page: Page
) -> None:
    api(admin).post("/pages/ann-private/block", {"until": None})
    before = list(Page.objects.order_by("id").values())
    api(admin).post("/users/ann/block")
    assert api(admin).get("/pages/ann").json()["is_blocked"] is True
    api(admin).delete("/users/ann/block")
    assert list(Page.objects.order_by("id").values()) == before
    assert api(admin).get("/pages/ann").json()["is_blocked"] is False
    assert api(admin).get("/pages/ann-private").json()["is_blocked"] is True


def test_a_role_is_set_at_once_and_logged_once(
    api: Api, admin: User, eve: User, page: Page
) -> None:
    body = {"until": "2100-01-01T00:00:00Z"}
    assert api(eve).post("/pages/ann/block", body).status_code == 403
    for _ in range(2):
        answer = api(admin).put("/users/eve/role", {"role": "moderator"})
        assert (answer.status_code, answer.json()["role"]) == (200, "moderator")
    assert ModerationAction.objects.get().action == "make_moderator"
    assert api(eve).post("/pages/ann/block", body).status_code == 200


@pytest.mark.parametrize("role", [None, "", "owner", "Admin", 1, ["admin"], {}])
def test_other_roles_are_refused(api: Api, admin: User, eve: User, role: object) -> None:
    with no_trace():
        assert bad_fields(api(admin).put("/users/eve/role", {"role": role})) == ["role"]


def test_never_oneself(api: Api, admin: User) -> None:
    new_user("second", role=User.Role.ADMIN)
    with no_trace():
        for refused in (
            api(admin).post("/users/admin/block"),
            api(admin).put("/users/admin/role", {"role": "user"}),
            api(admin).put("/users/admin/role", {"role": "admin"}),
        ):
            assert refusal(refused) == (409, "oneself")
        assert api(admin).delete("/users/admin/block").status_code == 204


def one_is_left() -> bool:
    return User.objects.filter(role=User.Role.ADMIN, is_blocked=False).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "actions",
    [
        (block_user, block_user),
        (partial(set_role, role="user"), partial(set_role, role="moderator")),
        (block_user, partial(set_role, role="user")),
    ],
    ids=["block", "demote", "both"],
)
def test_of_two_admins_against_each_other_one_stays(
    actions: tuple[Callable[..., object], Callable[..., object]],
) -> None:
    for attempt in range(5):
        first, second = (
            new_user(f"{name}-{attempt}", role=User.Role.ADMIN) for name in ("first", "second")
        )

        def against(action: Callable[..., object], actor: User, user: User) -> str:
            try:
                action(actor=actor, user=user)
            except DomainError as error:
                return error.code
            return "done"

        outcomes = at_once(
            partial(against, actions[0], first, second), partial(against, actions[1], second, first)
        )
        # By the row as the first has left it, not as the second came with it.
        blocked = actions[outcomes.index("done")] is block_user
        assert sorted(outcomes) == ["done", "user_blocked" if blocked else "forbidden"]
        assert one_is_left()
        assert ModerationAction.objects.filter(actor__in=[first, second]).count() == 1
        User.objects.filter(role=User.Role.ADMIN).update(role=User.Role.USER)


@pytest.mark.django_db(transaction=True)
def test_of_roles_that_are_set_at_once_the_last_in_the_log_holds(eve: User) -> None:
    admins = [new_user(f"admin-{number}", role=User.Role.ADMIN) for number in range(4)]
    for _ in range(3):
        at_once(
            *(
                partial(set_role, actor=admin, user=eve, role=role)
                for admin, role in zip(admins, [*User.Role.values, "user"], strict=True)
            )
        )
        eve.refresh_from_db()
        told = ModerationAction.objects.filter(target_id=eve.id).order_by("id")
        roles = [action.action.removeprefix("make_") for action in told]
        assert eve.role == roles[-1]
        # No change to what was so already.
        assert all(before != after for before, after in pairwise(["user", *roles]))


def test_the_first_admin_comes_from_the_command_line(eve: User) -> None:
    call_command("promote", "EVE", stdout=StringIO())
    eve.refresh_from_db()
    assert eve.is_admin
    kept = ModerationAction.objects.get()
    assert (kept.actor, kept.action, kept.target) == (None, "make_admin", "eve")
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("promote", "nobody")
