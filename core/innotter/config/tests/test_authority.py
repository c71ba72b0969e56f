"""Who may do what: the table of the rules, against every service, whichever front end calls it."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

import innotter
from dev.assertions import assert_none, assert_table
from innotter.accounts.actors import System
from innotter.accounts.logins import log_in
from innotter.accounts.models import Invitation, Registration, Session, User
from innotter.accounts.second_factor import Proof
from innotter.common.errors import DomainError, Throttled
from innotter.config.tests.routes import make_invitation, make_registration, tomorrow
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    all_rows,
    make_follower,
    new_page,
    new_post,
    new_user,
    rolled_back,
)
from innotter.moderation.services import block_page, block_user
from innotter.pages.follows import follow
from innotter.pages.models import Page
from innotter.posts.models import Post

# The files of an app that hold what it does; see the layers in pyproject.toml.
SERVICES = {
    "services",
    "sending",
    "feedback",
    "subscriptions",
    "logins",
    "leaving",
    "mailboxes",
    "recovery",
    "admissions",
    "registrations",
    "sessions",
    "second_factor",
    "passwords",
    "factors",
    "challenges",
    "queueing",
    "suppressions",
    "follows",
}

# What takes no actor.
WITHOUT_ACTOR = {
    "accounts.register": "the operator's: there is nobody yet",
    "accounts.checked_newcomer": "a part of register and sign_up",
    "accounts.make_account": "a part of register and sign_up",
    "accounts.sign_up": "begins an account: there is nobody yet",
    "accounts.confirm": "the mail's token says whose it is",
    "accounts.is_account_made_later": "a question about the settings",
    "accounts.claim_of": "the mail's token says whose it is",
    "accounts.locked_claim": "a part of confirm and the decisions of moderators",
    "accounts.admit": "a part of confirm and approve_registration",
    "accounts.registration_token": "the worker's that writes the mail",
    "accounts.prune_registrations": "the scheduler's",
    "accounts.authenticate": "finds out who it is",
    "accounts.is_password": "a part of every service that asks for a password",
    "accounts.require_strong": "a part of register and edit_user",
    "accounts.renew_hash": "a part of log_in",
    "accounts.count_write": "the last part of every request that writes",
    "accounts.change_password": "a part of every service that sets a password",
    "accounts.log_in": "finds out who it is",
    "accounts.finish_login": "the challenge says whose it is",
    "accounts.finish_login_to_site": "the challenge says whose it is",
    "accounts.passkey_request": "asks who it is",
    "accounts.log_in_by_passkey": "finds out who it is",
    "accounts.log_in_to_site_by_passkey": "finds out who it is",
    "accounts.confirm_code": "the cookie says whose it is",
    "accounts.confirm_passkey": "the cookie says whose it is",
    "accounts.take_code": "a part of every service that asks for a code",
    "accounts.take_totp": "a part of take_code",
    "accounts.asserted": "a part of every service that asks for a passkey",
    "accounts.take_passkey": "a part of every service that asks for a passkey",
    "accounts.issue_challenge": "a part of log_in",
    "accounts.methods_of": "a question of who holds the challenge",
    "accounts.open_challenge": "a part of finish_login",
    "accounts.try_challenge": "a part of finish_login",
    "accounts.spend_challenge": "a part of finish_login",
    "accounts.void_challenges": "a part of every change of a password or a factor",
    "accounts.prune_challenges": "the scheduler's",
    "accounts.waiting_setup": "a question of who is signed in",
    "accounts.is_login_recent": "a question about a session in hand",
    "accounts.remove_second_factor": "the operator's: a command",
    "accounts.end_sessions_of": "the operator's: a command",
    "accounts.remove_factors_since": "a part of undo_email",
    "accounts.reencrypt_secrets": "the operator's: a command",
    "accounts.cookie_token": "a part of log_in_to_site",
    "accounts.token_pair": "a part of log_in",
    "accounts.refresh": "the token says whose it is",
    "accounts.log_out": "the token says whose it is",
    "accounts.log_in_to_site": "finds out who it is",
    "accounts.log_out_of_site": "the cookie says whose it is",
    "accounts.confirm_password": "the cookie says whose it is",
    "accounts.is_password_fresh": "a question about a session in hand",
    "accounts.renew_cookie": "the middleware's, of a session in hand",
    "accounts.is_use_due": "a question about a session in hand",
    "accounts.note_use": "the middleware's, of a session in hand",
    "accounts.forget_sessions": "a part of block_user",
    "accounts.end_all_sessions": "a part of edit_user",
    "accounts.prune_sessions": "the scheduler's",
    "accounts.canonical": "a part of register and edit_user",
    "accounts.needs_confirmation": "a question to the settings",
    "accounts.is_free": "a part of register and edit_user",
    "accounts.require_free": "a part of register and edit_user",
    "accounts.claim_mailbox": "a part of register and edit_user",
    "accounts.drop_claim": "a part of edit_user",
    "accounts.set_mailbox": "a part of confirm_email and edit_user",
    "accounts.lock_mailbox": "a part of confirm_email and edit_user",
    "accounts.confirm_email": "the mail's token says whose it is",
    "accounts.undo_email": "the mail's token says whose it is",
    "accounts.request_reset": "for who can't log in",
    "accounts.reset_password": "the mail's token says whose it is",
    "events.record": "a part of every service",
    "events.outbox": "a part of services whose statement records too",
    "events.patience": "a part of every service that others must not wait for",
    "events.begin_epoch": "a part of recount",
    "events.mark_published": "the relay's",
    "events.requeue": "the operator's: a command, and the admin panel",
    "events.requeue_due": "the relay's",
    "events.prune_outbox": "the scheduler's",
    "mail.receive_message": "SNS signs what it says",
    "mail.queue_deliveries": "a task's",
    "mail.reschedule": "a task's",
    "mail.notify_followers": "a task's",
    "mail.send_due": "a task's",
    "mail.give_up_claims": "the scheduler's",
    "mail.prune_deliveries": "the scheduler's",
    "posts.prune_keys": "the scheduler's",
    "mail.send_again": "the operator's: the admin panel",
    "mail.stop_mails": "the mail's token says whose it is",
    "mail.resume_mails": "the mail's token says whose it is",
    "mail.stop_all_mails": "the mail's token says whose it is",
    "mail.suppress": "a part of receive_message",
    "mail.lift_suppression": "a part of confirm_email",
    "mail.lift_suppressions": "the operator's: the admin panel",
    "media.store_picture": "a part of set_image",
    "media.forget_pictures": "the scheduler's",
    "moderation.give_mailbox": "the operator's: a command",
    "moderation.make_admin": "the operator's: a command",
    "moderation.set_password": "the operator's: a command",
    "accounts.due_deletions": "the scheduler's",
    "accounts.schedule_again": "the operator's: a command",
    "deletion.delete_due": "the scheduler's",
    "deletion.delete_account": "a part of delete_due",
    "deletion.forget_events": "a part of delete_due",
    "deletion.apply_again": "the operator's: a command",
    "exports.forget_exports": "a part of delete_account",
    "exports.forget_old_exports": "the scheduler's",
    "moderation.log_post_deletion": "a part of delete_post",
    "moderation.log_user_deletion": "a part of delete_user",
    "moderation.log_action": "a part of every service of moderators",
    "pages.accept": "a part of those that let followers in",
    "pages.remove_page": "a part of delete_page",
    "posts.deletion_of": "a part of delete_post",
    "posts.lock_posts": "a part of delete_post",
    "posts.correct_count": "the operator's: a command",
    "posts.delete_posts_of": "a part of delete_page",
    "statistics.recount": "the operator's: a command",
    "statistics.restate": "the operator's: a command",
    "statistics.forget": "the operator's: a command",
}

ROLES = ["stranger", "requester", "follower", "owner", "moderator", "admin", "blocked"]
ERRORS = {
    "F": "forbidden",
    "N": "not_found",
    "P": "page_private",
    "B": "page_blocked",
    "O": "own_page",
    "G": "block_for_good",
    "S": "oneself",
    "L": "last_admin",
    "U": "user_blocked",
    "T": "totp_not_set_up",
    "X": "no_second_factor",
    "I": "invalid_passkey",
}
# The page is public, private, blocked until a moment or for good.
TABLE = """
                             |                 | str req fol own mod adm blo
accounts.edit_user           |                 |  +   +   +   +   +   +   U
accounts.set_image           |                 |  +   +   +   +   +   +   U
accounts.resend_confirmation |                 |  +   +   +   +   +   +   U
accounts.end_other_sessions  |                 |  +   +   +   +   +   +   U
accounts.end_session         | their own       |  +   +   +   +   +   +   U
accounts.end_session         | another's       |  N   N   N   N   N   N   U
accounts.set_up_totp         |                 |  +   +   +   +   +   +   U
accounts.confirm_totp        |                 |  T   T   T   T   T   T   U
accounts.remove_totp         |                 |  +   +   +   +   +   +   U
accounts.renew_recovery_codes |                |  X   X   X   X   X   X   U
accounts.passkey_creation    |                 |  +   +   +   +   +   +   U
accounts.add_passkey         |                 |  I   I   I   I   I   I   U
accounts.remove_passkey      | another's       |  N   N   N   N   N   N   U

accounts.leave               |                 |  +   +   +   +   +   L   U
accounts.restore             |                 |  +   +   +   +   +   +   U
accounts.delete_user         |                 |  F   F   F   F   F   +   U
accounts.delete_user         | the admin       |  F   F   F   F   F   S   U

exports.request_export       |                 |  +   +   +   +   +   +   U

pages.create_page            |                 |  +   +   +   +   +   +   U
pages.edit_page              | public          |  F   F   F   +   F   F   U
pages.edit_page              | private         |  F   F   F   +   F   F   U
pages.edit_page              | blocked         |  N   N   N   +   F   F   U
pages.set_image              | public          |  F   F   F   +   F   F   U
pages.set_image              | private         |  F   F   F   +   F   F   U
pages.set_image              | blocked         |  N   N   N   +   F   F   U
pages.add_tag                | public          |  F   F   F   +   F   F   U
pages.add_tag                | private         |  F   F   F   +   F   F   U
pages.add_tag                | blocked         |  N   N   N   +   F   F   U
pages.remove_tag             | public          |  F   F   F   +   F   F   U
pages.remove_tag             | private         |  F   F   F   +   F   F   U
pages.remove_tag             | blocked         |  N   N   N   +   F   F   U
pages.delete_page            | public          |  F   F   F   +   F   F   U
pages.delete_page            | private         |  F   F   F   +   F   F   U
pages.delete_page            | blocked         |  N   N   N   +   F   F   U
pages.follow                 | public          |  +   +   +   O   +   +   U
pages.follow                 | private         |  +   +   +   O   +   +   U
pages.follow                 | blocked         |  N   N   N   O   +   +   U
pages.unfollow               | public          |  +   +   +   O   +   +   U
pages.unfollow               | private         |  +   +   +   O   +   +   U
pages.unfollow               | blocked         |  +   +   +   O   +   +   U
pages.remove_follower        | public          |  F   F   F   +   F   F   U
pages.remove_follower        | private         |  F   F   F   +   F   F   U
pages.remove_follower        | blocked         |  N   N   N   +   F   F   U
pages.accept_requests        | private         |  F   F   F   +   F   F   U
pages.accept_requests        | blocked         |  N   N   N   +   F   F   U
pages.reject_requests        | private         |  F   F   F   +   F   F   U
pages.reject_requests        | blocked         |  N   N   N   +   F   F   U

posts.create_post            | public          |  F   F   F   +   F   F   U
posts.create_post            | private         |  F   F   F   +   F   F   U
posts.create_post            | blocked         |  N   N   N   B   F   F   U
posts.edit_post              | public          |  F   F   F   +   F   F   U
posts.edit_post              | private         |  P   P   F   +   F   F   U
posts.edit_post              | blocked         |  N   N   N   B   F   F   U
posts.delete_post            | public          |  F   F   F   +   +   +   U
posts.delete_post            | private         |  P   P   F   +   +   +   U
posts.delete_post            | blocked         |  N   N   N   +   +   +   U
posts.like                   | public          |  +   +   +   +   +   +   U
posts.like                   | private         |  P   P   +   +   +   +   U
posts.like                   | blocked         |  N   N   N   +   +   +   U
posts.unlike                 | public          |  +   +   +   +   +   +   U
posts.unlike                 | private         |  +   +   +   +   +   +   U
posts.unlike                 | blocked         |  +   +   +   +   +   +   U

moderation.block_page        | public          |  F   F   F   F   +   +   U
moderation.block_page        | blocked         |  F   F   F   F   +   +   U
moderation.block_page        | for good        |  F   F   F   F   G   +   U
moderation.block_page        | public, no end  |  F   F   F   F   G   +   U
moderation.block_page        | blocked, no end |  F   F   F   F   G   +   U
moderation.unblock_page      | public          |  F   F   F   F   +   +   U
moderation.unblock_page      | blocked         |  F   F   F   F   +   +   U
moderation.unblock_page      | for good        |  F   F   F   F   G   +   U
moderation.block_user        |                 |  F   F   F   F   F   +   U
moderation.block_user        | the admin       |  F   F   F   F   F   S   U
moderation.unblock_user      |                 |  F   F   F   F   F   +   U
moderation.create_invitation |                 |  F   F   F   F   +   +   U
moderation.withdraw_invitation |               |  F   F   F   F   +   +   U
moderation.approve_registration |              |  F   F   F   F   +   +   U
moderation.reject_registration |               |  F   F   F   F   +   +   U
moderation.set_role          |                 |  F   F   F   F   F   +   U
moderation.set_role          | the admin       |  F   F   F   F   F   S   U
moderation.confirm_email     |                 |  F   F   F   F   F   +   U
moderation.confirm_email     | the admin       |  F   F   F   F   F   S   U
moderation.send_password_reset |               |  F   F   F   F   F   +   U
moderation.send_password_reset | the admin     |  F   F   F   F   F   S   U
"""


@dataclass(frozen=True)
class Row:
    """What each role gets from one service in one case: `+`, or the letter of an error."""

    service: str
    case: str
    outcomes: list[str]

    def __str__(self) -> str:
        return f"{self.service} ({self.case})" if self.case else self.service


def rows() -> Iterator[Row]:
    for line in TABLE.splitlines()[2:]:
        if line:
            service, case, outcomes = line.split("|")
            yield Row(service.strip(), case.strip(), outcomes.split())


@dataclass(frozen=True)
class Cast:
    """The actors by their role, `target`, and a post on a page of each kind."""

    actors: dict[str, User]
    posts: dict[str, Post]
    sessions: dict[str, Session]

    def call(self, row: Row, role: str) -> None:
        actor = self.actors[role]
        kind = row.case.partition(",")[0]
        given = {"actor": actor, **self._target(row, role)}
        if row.service in ARGUMENTS:
            given |= ARGUMENTS[row.service]
        if row.case.endswith("no end"):
            given["until"] = None
        taken = inspect.signature(services()[row.service]).parameters
        if "post" in taken:
            given["post"] = self.posts[kind].id
        elif "page" in taken:
            given["page"] = self.posts[kind].page.uuid
        services()[row.service](**given)

    def _target(self, row: Row, role: str) -> dict[str, Any]:
        match row.service, row.case:
            case (("accounts.end_session" | "accounts.end_other_sessions"), case):
                return {"session_id": self.sessions[role if case == "their own" else "target"].id}
            case ("moderation.withdraw_invitation", _):
                return {"code": Invitation.objects.get().code}
            case (("moderation.approve_registration" | "moderation.reject_registration"), _):
                return {"registration_id": Registration.objects.get().id}
            case (service, who) if "user" in inspect.signature(services()[service]).parameters:
                return {"user": "admin" if who == "the admin" else "target"}
        return {}


PROOF = Proof(CLIENT, password=PASSWORD)
# What a service is given besides the actor and the thing.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "accounts.edit_user": {"client": CLIENT, "title": "Another title"},
    "accounts.leave": {"client": CLIENT, "current_password": PASSWORD, "session_id": None},
    "exports.request_export": {"client": CLIENT, "current_password": PASSWORD},
    "accounts.set_image": {"image": None},
    "accounts.set_up_totp": {"proof": PROOF},
    "accounts.remove_totp": {"proof": PROOF},
    "accounts.renew_recovery_codes": {"proof": PROOF},
    "accounts.passkey_creation": {"proof": PROOF},
    "accounts.confirm_totp": {"client": CLIENT, "session_id": None, "code": "123456"},
    "accounts.add_passkey": {"session_id": None, "credential": {}},
    "accounts.remove_passkey": {"proof": PROOF, "passkey_id": UUID(int=1)},
    "pages.create_page": {"name": "A page"},
    "pages.edit_page": {"name": "Another name"},
    "pages.set_image": {"image": None},
    "pages.add_tag": {"tag": "garden"},
    "pages.remove_tag": {"tag": "harbour"},
    "pages.remove_follower": {"username": "bob"},
    "posts.create_post": {"content": "Hello again"},
    "posts.edit_post": {"content": "Other words"},
    "moderation.block_page": {"until": tomorrow()},
    "moderation.create_invitation": {"uses": 1, "expires_at": tomorrow()},
    "moderation.set_role": {"role": User.Role.MODERATOR},
}


@cache
def services() -> dict[str, Callable[..., Any]]:
    """All public functions of all files that hold what an app does, as `app.name`."""
    found = {}
    for module in pkgutil.walk_packages(innotter.__path__, "innotter."):
        app, _, file = module.name.removeprefix("innotter.").partition(".")
        if file in SERVICES:
            for name, value in vars(import_module(module.name)).items():
                own = inspect.isfunction(value) and value.__module__ == module.name
                if own and not name.startswith("_"):
                    found[f"{app}.{name}"] = value
    return found


@pytest.fixture
def cast(db: None, eve: User, ann: User, bob: User, moderator: User, admin: User) -> Cast:
    requester, blocked, target = (new_user(name) for name in ("requester", "blocked", "target"))
    pages = {
        "public": new_page(ann, uuid="public", tags=["harbour"]),
        "private": new_page(ann, uuid="private", tags=["harbour"], is_private=True),
        "blocked": new_page(ann, uuid="blocked", tags=["harbour"]),
        "for good": new_page(ann, uuid="for-good"),
    }
    posts = {kind: new_post(page) for kind, page in pages.items()}
    for page in pages.values():
        make_follower(bob, page)
    follow(actor=requester, page=pages["private"])
    actors = {
        "stranger": eve,
        "requester": requester,
        "follower": bob,
        "owner": ann,
        "moderator": moderator,
        "admin": admin,
        "blocked": blocked,
    }
    everybody = {**actors, "target": target}
    for user in everybody.values():
        log_in(login=user.username, password=PASSWORD, client=CLIENT)
    sessions = {role: Session.objects.get(user=user) for role, user in everybody.items()}
    make_invitation(moderator)
    make_registration()
    block_user(actor=admin, user=blocked)
    block_page(actor=admin, page=pages["blocked"], until=tomorrow())
    block_page(actor=admin, page=pages["for good"], until=None)
    actors["blocked"].refresh_from_db()
    return Cast(actors, posts, sessions)


def outcome(call: Callable[[], None]) -> str:
    try:
        call()
    except DomainError as error:
        return next((letter for letter, code in ERRORS.items() if code == error.code), error.code)
    return "+"


def test_every_service_is_in_the_table_or_takes_no_actor() -> None:
    found = services()
    acting = {name for name, service in found.items() if takes_actor(service)}
    assert_table("TABLE", __file__, {row.service for row in rows()}, acting)
    assert_table("WITHOUT_ACTOR", __file__, WITHOUT_ACTOR, found.keys() - acting)


def takes_actor(service: Callable[..., Any]) -> bool:
    """`actor` by name, first, and never left out."""
    parameters = list(inspect.signature(service).parameters.values())
    first = parameters[0] if parameters else None
    return (
        first is not None
        and first.name == "actor"
        and first.kind is inspect.Parameter.KEYWORD_ONLY
        and first.default is inspect.Parameter.empty
    )


def test_every_service_allows_each_actor_what_the_table_says(cast: Cast) -> None:
    """What is refused leaves no row and no event."""
    before = all_rows()
    wrong = []
    for row in rows():
        for role, expected in zip(ROLES, row.outcomes, strict=True):
            with rolled_back():
                got = outcome(lambda row=row, role=role: cast.call(row, role))  # type: ignore[misc]
                if got != expected:
                    wrong.append(f"{row}, {role}: {got} instead of {expected}")
                elif got != "+" and all_rows() != before:
                    wrong.append(f"{row}, {role}: {got}, and left a trace")
    assert_none(wrong)


def test_every_service_counts_a_write_that_a_refusal_does_not_take_back(
    cast: Cast, settings: Any
) -> None:
    settings.LIMITS = {**settings.LIMITS, "writes": (1, 60)}
    uncounted = []
    for row in rows():
        for role in set(ROLES) - {"blocked"}:
            with rolled_back():
                with suppress(DomainError):
                    cast.call(row, role)
                if outcome(lambda row=row, role=role: cast.call(row, role)) != Throttled.code:  # type: ignore[misc]
                    uncounted.append(f"{row}, {role}")
    assert_none(uncounted)


def test_the_system_acts_from_a_list_and_every_reason_is_said(eve: User) -> None:
    assert {actor.name for actor in System} == {"COMMAND"}
    services()["moderation.set_role"](actor=System.COMMAND, user=eve, role=User.Role.ADMIN)
    assert User.objects.get(pk=eve.pk).is_admin


def test_a_service_takes_the_row_in_place_of_its_name(ann: User, page: Page, post: Post) -> None:
    found = services()
    assert found["pages.edit_page"](actor=ann, page=page, name="Named").name == "Named"
    assert found["posts.edit_post"](actor=ann, post=post, content="Said").content == "Said"


def test_a_change_that_a_service_does_not_name_is_no_change(ann: User, page: Page) -> None:
    for name, given in (
        ("pages.edit_page", {"page": page, "owner": ann}),
        ("accounts.edit_user", {"client": CLIENT, "role": "admin"}),
    ):
        with pytest.raises(TypeError):
            services()[name](actor=ann, **given)


def test_who_may_not_do_it_is_told_so_whatever_they_sent(
    api: Api, eve: User, private_page: Page, page: Page, moderator: User
) -> None:
    post, hidden = new_post(page), new_post(private_page)
    Page.objects.filter(pk=page.pk).update(blocked_for_good=True)
    user, private = "/users/ann", "/pages/ann-private"
    calls: list[tuple[User, str, str, int]] = [
        (eve, "patch", private, 403),
        (eve, "patch", "/pages/ann", 404),
        (eve, "put", f"{private}/image", 403),
        (eve, "post", f"{private}/posts", 403),
        (eve, "post", "/pages/ann/posts", 404),
        (eve, "post", f"{private}/follow-requests/accept", 403),
        (eve, "post", f"{private}/follow-requests/reject", 403),
        (eve, "patch", f"/posts/{hidden.id}", 403),
        (eve, "patch", f"/posts/{post.id}", 404),
        (eve, "post", f"{private}/block", 403),
        (eve, "delete", f"{private}/block", 403),
        (moderator, "post", f"{user}/block", 403),
        (moderator, "delete", f"{user}/block", 403),
        (moderator, "put", f"{user}/role", 403),
    ]
    for actor, method, path, status in calls:
        answer = getattr(api(actor), method)(path, "not what was asked for")
        assert answer.status_code == status, (method, path)
