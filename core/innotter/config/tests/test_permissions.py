"""Who may do what: the table of the rules, against every route of the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from dev.assertions import assert_none, assert_table
from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.accounts.tokens import verify_access_token
from innotter.config.tests.routes import (
    admission_names,
    bodies,
    files,
    links_of,
    make_invitation,
    make_registration,
    routes,
    tomorrow,
)
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Caller,
    all_rows,
    make_follower,
    new_page,
    new_post,
    new_user,
    rolled_back,
)
from innotter.mail.tokens import unsubscribe_token
from innotter.moderation.services import block_page, block_user
from innotter.pages.follows import follow
from innotter.pages.models import Page
from innotter.posts.models import Post

# The owner is that of the page; the requester has asked to follow it where it is private. The
# blocked one holds a token from before the block.
ROLES = ["anonymous", "stranger", "requester", "follower", "owner", "moderator", "admin", "blocked"]
ALLOWED = {"200", "201", "202", "204"}
# A 403 is `forbidden`; one that says something else is this letter instead.
LETTERS = {
    "page_private": "P",
    "page_blocked": "B",
    "block_for_good": "G",
    "user_blocked": "U",
    "unknown_sender": "X",
}

# The page is public, private, blocked until a moment or for good.
TABLE = """
                                            |                 | anon str req fol own mod adm blo
POST   /auth/register                       |                 | 201 201 201 201 201 201 201 401
POST   /auth/login                          |                 | 200 200 200 200 200 200 200 401
POST   /auth/login                          | as blocked      |  U   U   U   U   U   U   U  401
POST   /auth/refresh                        |                 | 200 200 200 200 200 200 200 401
POST   /auth/refresh                        | as blocked      | 401 401 401 401 401 401 401 401
POST   /auth/logout                         |                 | 204 204 204 204 204 204 204 401

POST   /auth/password-reset                 |                 | 202 202 202 202 202 202 202 401
POST   /auth/password-reset/confirm         |                 | 204 204 204 204 204 204 204 401
POST   /auth/email/confirm                  |                 | 204 204 204 204 204 204 204 401
POST   /auth/email/undo                     |                 | 204 204 204 204 204 204 204 401
POST   /auth/login/second-factor            |                 | 401 401 401 401 401 401 401 401
POST   /auth/passkey/options                |                 | 200 200 200 200 200 200 200 401
POST   /auth/passkey                        |                 | 401 401 401 401 401 401 401 401

GET    /users/me                            |                 | 401 200 200 200 200 200 200 401
PATCH  /users/me                            |                 | 401 202 202 202 202 202 202 401
POST   /users/me/email/resend               |                 | 401 202 202 202 202 202 202 401
DELETE /users/me                            |                 | 401 202 202 202 202 202 409 401
POST   /users/me/restore                    |                 | 401 200 200 200 200 200 200 401
GET    /users/me/export                     |                 | 401 200 200 200 200 200 200 401
POST   /users/me/export                     |                 | 401 202 202 202 202 202 202 401
PUT    /users/me/image                      |                 | 401 200 200 200 200 200 200 401
DELETE /users/me/image                      |                 | 401 204 204 204 204 204 204 401
GET    /users/me/pages                      |                 | 401 200 200 200 200 200 200 401
GET    /users/me/follows                    |                 | 401 200 200 200 200 200 200 401
GET    /users/me/likes                      |                 | 401 200 200 200 200 200 200 401
GET    /users/me/sessions                   |                 | 401 200 200 200 200 200 200 401
DELETE /users/me/sessions                   |                 | 401 204 204 204 204 204 204 401
DELETE /users/me/sessions/{id}              | their own       | 401 204 204 204 204 204 204 401
DELETE /users/me/sessions/{id}              | another's       | 401 404 404 404 404 404 404 401
POST   /users/me/second-factor/totp         |                 | 401 200 200 200 200 200 200 401
DELETE /users/me/second-factor/totp         |                 | 401 204 204 204 204 204 204 401
POST   /users/me/second-factor/totp/confirm |                 | 401 409 409 409 409 409 409 401
POST   /users/me/second-factor/recovery-codes |               | 401 409 409 409 409 409 409 401
GET    /users/me/passkeys                   |                 | 401 200 200 200 200 200 200 401
POST   /users/me/passkeys/options           |                 | 401 200 200 200 200 200 200 401
POST   /users/me/passkeys                   |                 | 401 400 400 400 400 400 400 401
DELETE /users/me/passkeys/{id}              |                 | 401 404 404 404 404 404 404 401
GET    /users/{username}                    |                 | 200 200 200 200 200 200 200 401
DELETE /users/{username}                    |                 | 401 403 403 403 403 403 204 401
DELETE /users/{username}                    | the admin       | 401 403 403 403 403 403 409 401
GET    /users/{username}/pages              |                 | 200 200 200 200 200 200 200 401
POST   /users/{username}/block              |                 | 401 403 403 403 403 403 204 401
POST   /users/{username}/block              | the admin       | 401 403 403 403 403 403 409 401
DELETE /users/{username}/block              |                 | 401 403 403 403 403 403 204 401
PUT    /users/{username}/role               |                 | 401 403 403 403 403 403 200 401
PUT    /users/{username}/role               | the admin       | 401 403 403 403 403 403 409 401
POST   /users/{username}/confirm-email      |                 | 401 403 403 403 403 403 204 401
POST   /users/{username}/confirm-email      | the admin       | 401 403 403 403 403 403 409 401
POST   /users/{username}/password-reset     |                 | 401 403 403 403 403 403 202 401
POST   /users/{username}/password-reset     | the admin       | 401 403 403 403 403 403 409 401

GET    /invites                             |                 | 401 403 403 403 403 200 200 401
POST   /invites                             |                 | 401 403 403 403 403 201 201 401
GET    /invites/{code}                      |                 | 401 403 403 403 403 200 200 401
DELETE /invites/{code}                      |                 | 401 403 403 403 403 204 204 401
GET    /registrations                       |                 | 401 403 403 403 403 200 200 401
POST   /registrations/{id}/approve          |                 | 401 403 403 403 403 200 200 401
POST   /registrations/{id}/reject           |                 | 401 403 403 403 403 204 204 401

GET    /pages                               |                 | 200 200 200 200 200 200 200 401
POST   /pages                               |                 | 401 201 201 201 201 201 201 401

GET    /pages/{uuid}                        | public          | 200 200 200 200 200 200 200 401
GET    /pages/{uuid}                        | private         | 200 200 200 200 200 200 200 401
GET    /pages/{uuid}                        | blocked         | 404 404 404 404 200 200 200 401
GET    /pages/{uuid}                        | for good        | 404 404 404 404 200 200 200 401
PATCH  /pages/{uuid}                        | public          | 401 403 403 403 200 403 403 401
PATCH  /pages/{uuid}                        | private         | 401 403 403 403 200 403 403 401
PATCH  /pages/{uuid}                        | blocked         | 401 404 404 404 200 403 403 401
DELETE /pages/{uuid}                        | public          | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}                        | private         | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}                        | blocked         | 401 404 404 404 204 403 403 401
PUT    /pages/{uuid}/tags/{tag}             | public          | 401 403 403 403 200 403 403 401
PUT    /pages/{uuid}/tags/{tag}             | private         | 401 403 403 403 200 403 403 401
PUT    /pages/{uuid}/tags/{tag}             | blocked         | 401 404 404 404 200 403 403 401
DELETE /pages/{uuid}/tags/{tag}             | public          | 401 403 403 403 200 403 403 401
DELETE /pages/{uuid}/tags/{tag}             | private         | 401 403 403 403 200 403 403 401
DELETE /pages/{uuid}/tags/{tag}             | blocked         | 401 404 404 404 200 403 403 401
PUT    /pages/{uuid}/image                  | public          | 401 403 403 403 200 403 403 401
PUT    /pages/{uuid}/image                  | private         | 401 403 403 403 200 403 403 401
PUT    /pages/{uuid}/image                  | blocked         | 401 404 404 404 200 403 403 401
DELETE /pages/{uuid}/image                  | public          | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}/image                  | private         | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}/image                  | blocked         | 401 404 404 404 204 403 403 401

POST   /pages/{uuid}/follow                 | public          | 401 200 200 200 409 200 200 401
POST   /pages/{uuid}/follow                 | private         | 401 200 200 200 409 200 200 401
POST   /pages/{uuid}/follow                 | blocked         | 401 404 404 404 409 200 200 401
DELETE /pages/{uuid}/follow                 | public          | 401 204 204 204 409 204 204 401
DELETE /pages/{uuid}/follow                 | private         | 401 204 204 204 409 204 204 401
DELETE /pages/{uuid}/follow                 | blocked         | 401 204 204 204 409 204 204 401
GET    /pages/{uuid}/followers              | public          | 200 200 200 200 200 200 200 401
GET    /pages/{uuid}/followers              | private         |  P   P   P  200 200 200 200 401
GET    /pages/{uuid}/followers              | blocked         | 404 404 404 404 200 200 200 401
DELETE /pages/{uuid}/followers/{username}   | public          | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}/followers/{username}   | private         | 401 403 403 403 204 403 403 401
DELETE /pages/{uuid}/followers/{username}   | blocked         | 401 404 404 404 204 403 403 401
GET    /pages/{uuid}/follow-requests        | public          | 401 403 403 403 200 403 403 401
GET    /pages/{uuid}/follow-requests        | private         | 401 403 403 403 200 403 403 401
GET    /pages/{uuid}/follow-requests        | blocked         | 401 404 404 404 200 403 403 401
POST   /pages/{uuid}/follow-requests/accept | private         | 401 403 403 403 200 403 403 401
POST   /pages/{uuid}/follow-requests/accept | blocked         | 401 404 404 404 200 403 403 401
POST   /pages/{uuid}/follow-requests/reject | private         | 401 403 403 403 200 403 403 401
POST   /pages/{uuid}/follow-requests/reject | blocked         | 401 404 404 404 200 403 403 401

POST   /pages/{uuid}/block                  | public          | 401 403 403 403 403 200 200 401
POST   /pages/{uuid}/block                  | blocked         | 401 403 403 403 403 200 200 401
POST   /pages/{uuid}/block                  | for good        | 401 403 403 403 403  G  200 401
POST   /pages/{uuid}/block                  | public, no end  | 401 403 403 403 403  G  200 401
POST   /pages/{uuid}/block                  | blocked, no end | 401 403 403 403 403  G  200 401
DELETE /pages/{uuid}/block                  | public          | 401 403 403 403 403 204 204 401
DELETE /pages/{uuid}/block                  | blocked         | 401 403 403 403 403 204 204 401
DELETE /pages/{uuid}/block                  | for good        | 401 403 403 403 403  G  204 401

GET    /pages/{uuid}/posts                  | public          | 200 200 200 200 200 200 200 401
GET    /pages/{uuid}/posts                  | private         |  P   P   P  200 200 200 200 401
GET    /pages/{uuid}/posts                  | blocked         | 404 404 404 404 200 200 200 401
POST   /pages/{uuid}/posts                  | public          | 401 403 403 403 201 403 403 401
POST   /pages/{uuid}/posts                  | private         | 401 403 403 403 201 403 403 401
POST   /pages/{uuid}/posts                  | blocked         | 401 404 404 404  B  403 403 401
GET    /posts/{id}                          | public          | 200 200 200 200 200 200 200 401
GET    /posts/{id}                          | private         |  P   P   P  200 200 200 200 401
GET    /posts/{id}                          | blocked         | 404 404 404 404 200 200 200 401
GET    /posts/{id}                          | for good        | 404 404 404 404 200 200 200 401
PATCH  /posts/{id}                          | public          | 401 403 403 403 200 403 403 401
PATCH  /posts/{id}                          | private         | 401  P   P  403 200 403 403 401
PATCH  /posts/{id}                          | blocked         | 401 404 404 404  B  403 403 401
DELETE /posts/{id}                          | public          | 401 403 403 403 204 204 204 401
DELETE /posts/{id}                          | private         | 401  P   P  403 204 204 204 401
DELETE /posts/{id}                          | blocked         | 401 404 404 404 204 204 204 401
GET    /posts/{id}/replies                  | public          | 200 200 200 200 200 200 200 401
GET    /posts/{id}/replies                  | private         |  P   P   P  200 200 200 200 401
GET    /posts/{id}/replies                  | blocked         | 404 404 404 404 200 200 200 401
POST   /posts/{id}/like                     | public          | 401 200 200 200 200 200 200 401
POST   /posts/{id}/like                     | private         | 401  P   P  200 200 200 200 401
POST   /posts/{id}/like                     | blocked         | 401 404 404 404 200 200 200 401
DELETE /posts/{id}/like                     | public          | 401 200 200 200 200 200 200 401
DELETE /posts/{id}/like                     | private         | 401 204 204 200 200 200 200 401
DELETE /posts/{id}/like                     | blocked         | 401 204 204 204 200 200 200 401

GET    /feed                                |                 | 401 200 200 200 200 200 200 401
GET    /tags                                |                 | 200 200 200 200 200 200 200 401
GET    /search                              |                 | 200 200 200 200 200 200 200 401

GET    /unsubscribe/{token}                 |                 | 200 200 200 200 200 200 200 401
POST   /unsubscribe/{token}                 |                 | 200 200 200 200 200 200 200 401
POST   /mail/feedback                       |                 |  X   X   X   X   X   X   X  401
"""

# What a call has to ask for.
QUESTIONS = {"GET /search": {"q": "public"}}


@dataclass(frozen=True)
class Row:
    """What each role is answered to one call in one case: a status, or the letter of a 403."""

    call: str
    case: str
    answers: list[str]

    @property
    def statuses(self) -> set[int]:
        return {403 if answer.isalpha() else int(answer) for answer in self.answers}

    def __str__(self) -> str:
        return f"{self.call} ({self.case})" if self.case else self.call


def rows() -> Iterator[Row]:
    for line in TABLE.splitlines()[2:]:
        if line:
            call, case, answers = line.split("|")
            yield Row(" ".join(call.split()), case.strip(), answers.split())


@dataclass(frozen=True)
class Cast:
    callers: dict[str, Caller]
    # One of each kind, each with a post.
    posts: dict[str, Post]
    bodies: dict[str, dict[str, Any]]
    # Of a mail to the follower.
    token: str
    # Of each role, and of somebody else.
    sessions: dict[str, str]

    def call(self, row: Row, role: str) -> str:
        """The status of the answer, or the letter of what a 403 says."""
        answer = self._answer(row, role)
        if answer.status_code != 403 or answer.json()["code"] == "forbidden":
            return str(answer.status_code)
        code: str = answer.json()["code"]
        return LETTERS.get(code, code)

    def _answer(self, row: Row, role: str) -> Any:
        method, path = row.call.split()
        kind = row.case.partition(",")[0]
        values = {
            "username": "admin" if row.case == "the admin" else "target",
            "tag": "garden",
            "token": self.token,
            # Nothing has it.
            "id": str(UUID(int=1)),
        }
        if kind in self.posts:
            post = self.posts[kind]
            values |= {"uuid": post.page.uuid, "id": str(post.id)}
        values |= admission_names(path)
        if "/sessions/" in path:
            mine = row.case == "their own" and role in self.sessions
            values["id"] = self.sessions[role if mine else "target"]
        caller = self.callers[role]
        address = path.format(**values)
        if method == "GET":
            return caller.get(address, **QUESTIONS.get(row.call, {}))
        if row.call in files():
            return caller.upload(address, files()[row.call])
        send = getattr(caller, method.lower())
        return send(address, self._body(row))

    def _body(self, row: Row) -> dict[str, Any] | None:
        match row:
            case Row("POST /auth/login", "as blocked"):
                return {"login": "blocked", "password": PASSWORD}
            case Row("POST /auth/refresh", "as blocked"):
                return self.bodies["POST /auth/refresh as blocked"]
            case Row("POST /pages/{uuid}/block", case) if case.endswith("no end"):
                return {"until": None}
        return self.bodies.get(row.call)


@pytest.fixture
def cast(db: None, eve: User, ann: User, bob: User, moderator: User, admin: User) -> Cast:
    requester, blocked, target = (new_user(name) for name in ("requester", "blocked", "target"))
    pages = {
        "public": new_page(ann, uuid="public"),
        "private": new_page(ann, uuid="private", is_private=True),
        "blocked": new_page(ann, uuid="blocked"),
        "for good": new_page(ann, uuid="for-good"),
    }
    posts = {kind: new_post(page) for kind, page in pages.items()}
    for page in pages.values():
        make_follower(bob, page)
    follow(actor=requester, page=pages["private"])
    people: dict[str, User | None] = {
        "anonymous": None,
        "stranger": eve,
        "requester": requester,
        "follower": bob,
        "owner": ann,
        "moderator": moderator,
        "admin": admin,
        "blocked": blocked,
    }
    sessions = {
        role: log_in(login=user.username, password=PASSWORD, client=CLIENT).access
        for role, user in {**people, "target": target}.items()
        if user
    }
    known = bodies(
        refresh=log_in(login="target", password=PASSWORD, client=CLIENT).refresh,
        links=links_of(target),
    )
    spent = log_in(login="blocked", password=PASSWORD, client=CLIENT).refresh
    make_invitation(moderator)
    make_registration()
    block_user(actor=admin, user=blocked)
    block_page(actor=admin, page=pages["blocked"], until=tomorrow())
    block_page(actor=admin, page=pages["for good"], until=None)
    for post in posts.values():
        post.page = Page.objects.get(pk=post.page_id)
    callers = {role: Caller(user) for role, user in people.items()}
    known["POST /auth/refresh as blocked"] = {"refresh": spent}
    return Cast(
        callers,
        posts,
        known,
        unsubscribe_token(bob.id, pages["public"].id),
        {role: str(verify_access_token(access).sid) for role, access in sessions.items()},
    )


@pytest.mark.usefixtures("aws")
def test_every_route_answers_every_role_as_the_table_says(cast: Cast) -> None:
    """A call that is refused leaves no row and no event."""
    table = list(rows())
    assert_table("TABLE", __file__, {row.call for row in table}, map(str, routes()))
    # Of all cells: what a call does is rolled back after it.
    before = all_rows()
    wrong = []
    for row in table:
        for role, expected in zip(ROLES, row.answers, strict=True):
            with rolled_back():
                got = cast.call(row, role)
                if got != expected:
                    wrong.append(f"{row}, {role}: {got} instead of {expected}")
                elif got not in ALLOWED and all_rows() != before:
                    wrong.append(f"{row}, {role}: {got}, and left a trace")
    assert_none(wrong)
