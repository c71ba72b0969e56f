"""Leaving: nothing is shown and nothing is rewritten, and for a week all of it can come back."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from innotter.accounts.leaving import LastAdmin, delete_user, leave, restore
from innotter.accounts.logins import log_in
from innotter.accounts.models import AccountMail, User
from innotter.accounts.selectors import cookie_session
from innotter.config.tests.routes import routes
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    all_rows,
    at_once,
    new_post,
    new_user,
    no_trace,
    refusal,
    signed_in,
)
from innotter.moderation.models import ModerationAction
from innotter.moderation.services import block_user, set_role
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like

# What is open to who is leaving.
OPEN = {
    "GET /users/me",
    "PATCH /users/me",  # refused by the service
    "DELETE /users/me",
    "POST /users/me/restore",
    "GET /users/me/export",
    "POST /users/me/export",
}


def left(user: User, session_id: Any = None) -> User:
    return leave(actor=user, client=CLIENT, current_password=PASSWORD, session_id=session_id)


def gone(user: User) -> User:
    """Whose week is over."""
    left(user)
    User.objects.filter(pk=user.pk).update(deletes_at=timezone.now())
    return User.objects.get(pk=user.pk)


def seen(api: Api, viewer: User) -> list[Any]:
    """All that another is shown that may have to do with Ann."""
    caller = api(viewer)
    paths = [
        "/users/ann",
        "/users/ann/pages",
        "/pages/ann",
        "/pages/ann/posts",
        "/pages/bob/followers",
        "/pages/bob/posts",
        "/feed",
        "/users/me/follows",
        "/users/me/likes",
    ]
    found = [caller.get(path) for path in paths] + [caller.get("/search", q="ann")]
    return [(answer.status_code, answer.json()) for answer in found]


def test_nothing_is_shown_of_who_is_leaving_and_all_of_it_again_when_they_stay(
    api: Api, ann: User, bob: User, page: Page, post: Post, moderator: User
) -> None:
    theirs = api(bob).post("/pages", {"name": "Bob", "uuid": "bob"})
    assert theirs.status_code == 201
    api(ann).post("/pages/bob/follow")
    reply = new_post(Page.objects.get(uuid="bob"), "An answer", reply_to=post)
    like(actor=bob, post=post)
    like(actor=ann, post=reply)
    before, shown = all_rows(), seen(api, bob)
    assert api(ann).delete("/users/me", {"current_password": PASSWORD}).status_code == 202
    hidden = seen(api, bob)
    assert [status for status, _ in hidden[:4]] == [404, 404, 404, 404]
    # Of a reply it is told that its parent is not there, and no count is another one.
    others = {str(hidden[5])}
    assert '"ann"' not in str(hidden).replace("'", '"')
    assert "'likes_count': 1" in str(others)
    assert api(moderator).get("/pages/ann").json()["is_blocked"] is True
    assert api(ann).post("/users/me/restore").json()["deletes_at"] is None
    assert seen(api, bob) == shown
    after = all_rows()
    changed = {label for label, rows in after.items() if rows != before[label]}
    assert changed <= {
        "accounts.User",
        "accounts.Session",
        "accounts.AccountMail",
        "events.OutboxEvent",
    }


def test_who_is_leaving_can_come_back_and_do_nothing_else(api: Api, ann: User, page: Page) -> None:
    left(ann)
    ann.refresh_from_db()
    answer = api().post("/auth/login", {"login": "ann", "password": PASSWORD})
    assert api().post("/auth/refresh", {"refresh": answer.json()["refresh"]}).status_code == 200
    assert api(ann).get("/users/me").json()["deletes_at"]
    with no_trace():
        for route in routes():
            if str(route) not in OPEN and not route.path.startswith("/auth/"):
                path = route.path.format(
                    uuid="ann", username="ann", id=ann.id, tag="a", token="a", code="a"
                )
                answer = getattr(api(ann), route.method.lower())(path)
                assert refusal(answer) == (403, "user_leaving"), route
        assert refusal(api(ann).patch("/users/me", {"title": "A"})) == (403, "user_leaving")
    assert api(ann).post("/users/me/restore").status_code == 200
    assert api(ann).patch("/users/me", {"title": "Ann"}).status_code == 200


def test_on_the_site_every_path_leads_to_the_page_of_leaving(ann: User, page: Page) -> None:
    left(ann)
    browser = signed_in(User.objects.get(pk=ann.pk))
    for path in ("/", "/@ann", "/settings", "/admin/", "/pages/new"):
        answer = browser.get(path)
        assert (answer.status_code, answer["Location"]) == (303, "/settings/account"), path
    with no_trace():
        assert browser.post("/", {"content": "Hello", "page": "ann"})["Location"] == (
            "/settings/account"
        )
    assert browser.get("/about").status_code == 200


def test_leaving_needs_the_password_and_ends_all_other_sessions(api: Api, ann: User) -> None:
    here, elsewhere = signed_in(ann), signed_in(ann)
    with no_trace():
        answer = api(ann).delete("/users/me", {"current_password": "a guess"})
        assert answer.json()["errors"][0]["code"] == "wrong_password"
        assert refusal(api(ann).delete("/users/me", {})) == (400, "invalid")
    token = here.cookies["session"].value
    session = cookie_session(token)
    assert session is not None
    until = left(ann, session.id).deletes_at
    [mail] = AccountMail.objects.filter(user=ann)
    assert (mail.kind, mail.address) == ("leaving", "ann@example.com")
    assert until is not None
    assert timedelta(days=6, hours=23) < until - timezone.now() < timedelta(days=7)
    assert cookie_session(token) is not None
    assert cookie_session(elsewhere.cookies["session"].value) is None
    assert left(User.objects.get(pk=ann.pk)).deletes_at == until


def test_when_the_week_is_over_nobody_comes_back(api: Api, ann: User) -> None:
    browser = signed_in(ann)
    refresh = log_in(login="ann", password=PASSWORD, client=CLIENT).refresh
    ann = gone(ann)
    with no_trace():
        assert refusal(api(ann).get("/users/me"))[0] == 401
        assert refusal(api(ann).post("/users/me/restore"))[0] == 401
        login = {"login": "ann", "password": PASSWORD}
        assert refusal(api().post("/auth/login", login)) == (401, "wrong_credentials")
        assert refusal(api().post("/auth/refresh", {"refresh": refresh}))[0] == 401
    assert browser.get("/settings")["Location"].startswith("/login")


def test_a_block_outlasts_leaving_and_coming_back(ann: User, admin: User, api: Api) -> None:
    left(ann)
    block_user(actor=admin, user=User.objects.get(pk=ann.pk))
    ann.refresh_from_db()
    assert refusal(api(ann).post("/users/me/restore")) == (401, "user_blocked")


def test_the_last_admin_cannot_leave(admin: User) -> None:
    second = new_user("second", role=User.Role.ADMIN)
    left(second)
    with no_trace(), pytest.raises(LastAdmin):
        left(admin)
    restore(actor=User.objects.get(pk=second.pk))
    left(admin)


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_leave_at_once_one_stays() -> None:
    admins = [new_user(f"admin{n}", role=User.Role.ADMIN) for n in range(4)]

    def try_to(user: User) -> bool:
        try:
            return bool(left(user))
        except LastAdmin:
            return False

    done = at_once(*(lambda user=user: try_to(user) for user in admins))
    assert sorted(done) == [False, True, True, True]


def test_an_admin_deletes_an_account_at_once_and_the_log_has_it(
    api: Api, admin: User, ann: User
) -> None:
    browser = signed_in(ann)
    answer = api(admin).delete("/users/ann", {"reason": "By a court"})
    assert answer.status_code == 204
    ann.refresh_from_db()
    assert ann.is_gone
    assert browser.get("/")["Cache-Control"]
    assert refusal(api(ann).get("/users/me"))[0] == 401
    [entry] = ModerationAction.objects.filter(target_id=ann.pk)
    assert (entry.action, entry.reason, entry.actor) == ("delete", "By a court", admin)
    with no_trace():
        delete_user(actor=admin, user="ann")
        set_role(actor=admin, user="ann", role=ann.role)
