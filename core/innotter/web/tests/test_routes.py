"""Who may do what on the site: the table of the rules, against every address of the site."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db import IntegrityError
from django.test import Client
from django.urls import URLPattern, URLResolver

from dev.assertions import assert_none, assert_table
from innotter.accounts.models import Session, User
from innotter.accounts.tokens import mint_access_token
from innotter.common.pagination import BEFORE, encode
from innotter.config.tests.routes import (
    admission_names,
    links_of,
    make_invitation,
    make_registration,
    tomorrow,
)
from innotter.conftest import (
    PASSWORD,
    all_rows,
    make_follower,
    new_page,
    new_post,
    new_user,
    rolled_back,
    signed_in,
)
from innotter.mail.tokens import unsubscribe_token
from innotter.moderation.services import block_page, block_user
from innotter.pages.follows import follow
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.web import urls

ROLES = ["anonymous", "stranger", "follower", "owner", "moderator", "admin", "blocked"]
# 303 leads elsewhere: a stranger to the login, others to what they did.
TABLE = """
                                 |           | ano str fol own mod adm blo
GET  /                           |           | 200 200 200 200 200 200 403
POST /                           | public    | 303 200 200 303 200 200 403
POST /                           | private   | 303 200 200 303 200 200 403
POST /                           | blocked   | 303 200 200 200 200 200 403
GET  /feed/new                   |           | 204 204 204 204 204 204 204
GET  /register                   |           | 200 200 200 200 200 200 403
POST /register                   |           | 303 303 303 303 303 303 403
GET  /login                      |           | 200 303 303 303 303 303 403
POST /login                      |           | 303 303 303 303 303 303 403
POST /login                      | as blocked| 403 403 403 403 403 403 403
GET  /login/again                |           | 303 200 200 200 200 200 403
POST /login/again                |           | 303 303 303 303 303 303 403
GET  /password/reset             |           | 200 200 200 200 200 200 403
POST /password/reset             |           | 303 303 303 303 303 303 403
GET  /password/reset/{token}     |           | 200 200 200 200 200 200 403
POST /password/reset/{token}     |           | 303 303 303 303 303 303 403
GET  /confirm/{token}            |           | 200 200 200 200 200 200 403
POST /confirm/{token}            |           | 303 303 303 303 303 303 403
GET  /undo/{token}               |           | 200 200 200 200 200 200 403
POST /undo/{token}               |           | 303 303 303 303 303 303 403
GET  /login/second-factor        |           | 303 303 303 303 303 303 403
POST /login/second-factor        |           | 303 303 303 303 303 303 403
POST /login/passkey              |           | 303 303 303 303 303 303 403
POST /login/passkey/options      |           | 200 200 200 200 200 200 403
POST /logout                     |           | 303 303 303 303 303 303 403
GET  /settings                   |           | 303 200 200 200 200 200 403
POST /settings                   |           | 303 303 303 303 303 303 403
GET  /settings/account           |           | 303 200 200 200 200 200 403
POST /settings/account           |           | 303 303 303 303 303 200 403
GET  /settings/account/export    |           | 303 404 404 404 404 404 403
GET  /settings/security          |           | 303 200 200 200 200 200 403
POST /settings/security          |           | 303 303 303 303 303 303 403
POST /settings/security/passkey/options |    | 303 200 200 200 200 200 403
GET  /search                     |           | 200 200 200 200 200 200 403
GET  /search/suggestions         |           | 200 200 200 200 200 200 403
GET  /likes                      |           | 303 200 200 200 200 200 403
GET  /pages                      |           | 303 200 200 200 200 200 403
GET  /pages/new                  |           | 303 200 200 200 200 200 403
POST /pages/new                  |           | 303 303 303 303 303 303 403

GET  /@{uuid}                    | public    | 200 200 200 200 200 200 403
GET  /@{uuid}                    | private   | 200 200 200 200 200 200 403
GET  /@{uuid}                    | blocked   | 404 404 404 200 200 200 403
GET  /@{uuid}.atom               | public    | 200 200 200 200 200 200 403
GET  /@{uuid}.atom               | private   | 403 403 403 403 403 403 403
GET  /@{uuid}.atom               | blocked   | 404 404 404 404 404 404 403
GET  /@{uuid}/edit               | public    | 303 403 403 200 403 403 403
GET  /@{uuid}/edit               | blocked   | 303 404 404 200 403 403 403
POST /@{uuid}/edit               | public    | 303 403 403 303 403 403 403
POST /@{uuid}/edit               | private   | 303 403 403 303 403 403 403
POST /@{uuid}/edit               | blocked   | 303 404 404 303 403 403 403
GET  /@{uuid}/delete             | public    | 303 403 403 200 403 403 403
POST /@{uuid}/delete             | public    | 303 403 403 303 403 403 403
POST /@{uuid}/delete             | blocked   | 303 404 404 303 403 403 403
POST /@{uuid}/follow             | public    | 303 303 303 409 303 303 403
POST /@{uuid}/follow             | private   | 303 303 303 409 303 303 403
POST /@{uuid}/follow             | blocked   | 303 404 404 409 303 303 403
POST /@{uuid}/unfollow           | public    | 303 303 303 409 303 303 403
POST /@{uuid}/unfollow           | blocked   | 303 303 303 409 303 303 403
POST /@{uuid}/followers/{username}/remove | public | 303 403 403 303 403 403 403
POST /@{uuid}/followers/{username}/remove | blocked | 303 404 404 303 403 403 403
GET  /@{uuid}/followers          | public    | 200 200 200 200 200 200 403
GET  /@{uuid}/followers          | private   | 403 403 200 200 200 200 403
GET  /@{uuid}/followers          | blocked   | 404 404 404 200 200 200 403
GET  /@{uuid}/requests           | private   | 303 403 403 200 403 403 403
POST /@{uuid}/requests           | private   | 303 403 403 303 403 403 403
POST /@{uuid}/requests           | blocked   | 303 404 404 303 403 403 403
GET  /@{uuid}/statistics         | public    | 303 403 403 200 403 403 403
GET  /@{uuid}/statistics.svg     | public    | 303 403 403 503 403 403 403
GET  /@{uuid}/block              | public    | 303 403 403 403 200 200 403
POST /@{uuid}/block              | public    | 303 403 403 403 200 303 403
POST /@{uuid}/unblock            | for good  | 303 404 404 403 200 303 403
GET  /@{uuid}/unblock            | blocked   | 303 404 404 403 200 200 403
POST /@{uuid}/unblock            | blocked   | 303 404 404 403 303 303 403

GET  /@{uuid}/{id}               | public    | 200 200 200 200 200 200 403
GET  /@{uuid}/{id}               | private   | 403 403 200 200 200 200 403
GET  /@{uuid}/{id}               | blocked   | 404 404 404 200 200 200 403
POST /@{uuid}/{id}               | public    | 303 200 200 303 200 200 403
POST /@{uuid}/{id}               | private   | 303 403 200 303 200 200 403
POST /@{uuid}/{id}               | blocked   | 303 404 404 303 200 200 403
POST /@{uuid}/{id}/like          | public    | 303 303 303 303 303 303 403
POST /@{uuid}/{id}/like          | private   | 303 403 303 303 303 303 403
POST /@{uuid}/{id}/like          | blocked   | 303 404 404 303 303 303 403
POST /@{uuid}/{id}/unlike        | public    | 303 303 303 303 303 303 403
POST /@{uuid}/{id}/unlike        | private   | 303 303 303 303 303 303 403
POST /@{uuid}/{id}/unlike        | blocked   | 303 303 303 303 303 303 403
GET  /@{uuid}/{id}/edit          | public    | 303 403 403 200 403 403 403
POST /@{uuid}/{id}/edit          | public    | 303 403 403 303 403 403 403
POST /@{uuid}/{id}/edit          | private   | 303 403 403 303 403 403 403
POST /@{uuid}/{id}/edit          | blocked   | 303 404 404 200 403 403 403
GET  /@{uuid}/{id}/delete        | public    | 303 403 403 200 200 200 403
POST /@{uuid}/{id}/delete        | public    | 303 403 403 303 303 303 403
POST /@{uuid}/{id}/delete        | private   | 303 403 403 303 303 303 403
POST /@{uuid}/{id}/delete        | blocked   | 303 404 404 303 303 303 403

GET  /u/{username}               |           | 200 200 200 200 200 200 403
GET  /u/{username}/block         |           | 303 403 403 403 403 200 403
POST /u/{username}/block         |           | 303 403 403 403 403 303 403
GET  /u/{username}/unblock       |           | 303 403 403 403 403 200 403
POST /u/{username}/unblock       |           | 303 403 403 403 403 303 403
GET  /u/{username}/role          |           | 303 403 403 403 403 200 403
POST /u/{username}/role          |           | 303 403 403 403 403 303 403
POST /moderation/invites         |           | 303 403 403 403 303 303 403
POST /moderation/invites/{code}/withdraw | | 303 403 403 403 303 303 403
POST /moderation/registrations/{id} |        | 303 403 403 403 303 303 403
GET  /moderation                 |           | 303 403 403 403 200 200 403
GET  /about                      |           | 200 200 200 200 200 200 403
GET  /privacy                    |           | 200 200 200 200 200 200 403
GET  /terms                      |           | 200 200 200 200 200 200 403
GET  /robots.txt                 |           | 200 200 200 200 200 200 403
GET  /favicon.ico                |           | 303 303 303 303 303 303 403
GET  /manifest.webmanifest       |           | 200 200 200 200 200 200 403
GET  /oembed                     |           | 404 404 404 404 404 404 403
GET  /unsubscribe/{token}        |           | 200 200 200 200 200 200 403
POST /unsubscribe/{token}        |           | 303 303 303 303 303 303 403
GET  /.well-known/change-password|           | 303 303 303 303 303 303 403
"""
# What is sent; of the composer it is the owner's page that is named.
FORMS: dict[str, dict[str, str]] = {
    "POST /register": {
        "username": "newcomer",
        "email": "newcomer@example.com",
        "password": PASSWORD,
    },
    "POST /moderation/invites": {"uses": "2", "days": "3"},
    "POST /moderation/registrations/{id}": {"answer": "approve", "reason": ""},
    "POST /login": {"login": "target", "password": PASSWORD},
    "POST /login/again": {"password": PASSWORD},
    "POST /password/reset": {"email": "target@example.com"},
    "POST /password/reset/{token}": {"password": "another quiet harbour 7"},
    "POST /login/second-factor": {"code": "123456"},
    "POST /login/passkey": {"credential": "[]"},
    "POST /settings/account": {"part": "leave", "current_password": PASSWORD},
    "POST /settings/security": {"part": "set_up"},
    "POST /settings": {
        "part": "profile",
        "title": "Another title",
        "email_notifications": "off",
        "language": "en",
    },
    "POST /": {"content": "Hello again", "page": "{uuid}"},
    "POST /@{uuid}/{id}": {"content": "An answer", "page": "public"},
    "POST /@{uuid}/{id}/edit": {"content": "Other words"},
    "POST /pages/new": {"name": "One more", "uuid": "one-more"},
    "POST /@{uuid}/edit": {"name": "Another name", "uuid": "another"},
    "POST /@{uuid}/requests": {"answer": "accept_all"},
    "POST /u/{username}/role": {"role": "moderator"},
}
QUESTIONS = {"GET /feed/new": {"after": encode(BEFORE, UUID(int=2**128 - 1))}}
REFUSED = {403, 404, 409}
# They answer with a challenge, which is a row.
CHALLENGES = {"POST /login/passkey/options", "POST /settings/security/passkey/options"}


@dataclass(frozen=True)
class Row:
    call: str
    case: str
    statuses: list[int]


def rows() -> Iterator[Row]:
    for line in TABLE.splitlines()[2:]:
        if line:
            call, case, statuses = line.split("|")
            numbers = [int(word) for word in statuses.split()]
            yield Row(" ".join(call.split()), case.strip(), numbers)


def paths() -> set[str]:
    brackets = str.maketrans({"<": "{", ">": "}", "\\": ""})
    found = (simplify_regex(str(each.pattern)) for each in _patterns(urls.urlpatterns))
    return {"/" + path.translate(brackets).lstrip("/") for path in found}


def _patterns(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each.url_patterns)
        else:
            yield each


@dataclass(frozen=True)
class Cast:
    browsers: dict[str, Client]
    posts: dict[str, Post]
    # Of mails to the follower and the target, by the addresses that they stand in.
    tokens: dict[str, str]

    def call(self, row: Row, role: str, browser: Client | None = None) -> Any:
        method, path = row.call.split()
        post = self.posts.get(row.case, self.posts["public"])
        values = {
            "uuid": post.page.uuid,
            "id": str(post.id),
            "username": "target",
            "token": self.tokens.get(path, ""),
            **admission_names(path),
        }
        form = {name: text.format(**values) for name, text in FORMS.get(row.call, {}).items()}
        if row.case == "as blocked":
            form["login"] = "blocked"
        browser = browser or self.browsers[role]
        cookies = browser.cookies.output()
        try:
            if method == "GET":
                return browser.get(path.format(**values), QUESTIONS.get(row.call))
            return browser.post(path.format(**values), form)
        finally:
            browser.cookies.clear()
            browser.cookies.load(re.sub("(?m)^Set-Cookie: ", "", cookies))


@pytest.fixture
def cast(db: None, eve: User, ann: User, bob: User, moderator: User, admin: User) -> Cast:
    blocked, target = new_user("blocked"), new_user("target")
    pages = {
        "public": new_page(ann, uuid="public"),
        "private": new_page(ann, uuid="private", is_private=True),
        "blocked": new_page(ann, uuid="blocked"),
        "for good": new_page(ann, uuid="for-good"),
    }
    posts = {kind: new_post(page) for kind, page in pages.items()}
    for page in pages.values():
        make_follower(bob, page)
    follow(actor=new_user("requester"), page=pages["private"])
    people = dict(zip(ROLES[1:], (eve, bob, ann, moderator, admin, blocked), strict=True))
    browsers = {role: signed_in(user) for role, user in people.items()}
    make_invitation(moderator)
    make_registration()
    block_user(actor=admin, user=blocked)
    block_page(actor=admin, page=pages["blocked"], until=None)
    block_page(actor=admin, page=pages["for good"], until=None)
    block_page(actor=admin, page=pages["blocked"], until=tomorrow())
    for post in posts.values():
        post.page = Page.objects.get(pk=post.page_id)
    links = links_of(target)
    tokens = {
        "/unsubscribe/{token}": unsubscribe_token(bob.id, pages["public"].id),
        "/password/reset/{token}": links["reset"],
        "/confirm/{token}": links["confirm"],
        "/undo/{token}": links["undo"],
    }
    return Cast({"anonymous": Client(), **browsers}, posts, tokens)


def test_the_table_names_every_address_of_the_site() -> None:
    assert_table("TABLE", __file__, {row.call.split()[1] for row in rows()}, paths())


def test_every_address_answers_everybody_as_the_table_says(cast: Cast) -> None:
    """A refusal leaves no row and no event; nor does what a stranger is sent to the login for."""
    before = all_rows()
    wrong = []
    for row in rows():
        for role, expected in zip(ROLES, row.statuses, strict=True):
            with rolled_back():
                answer = cast.call(row, role)
                to_login = answer.get("Location", "").startswith("/login?")
                status = answer.status_code
                if status != expected:
                    wrong.append(f"{row}, {role}: {status} instead of {expected}")
                elif (status in REFUSED or to_login) and all_rows() != before:
                    wrong.append(f"{row}, {role}: {status}, and left a trace")
                elif (
                    row.call.startswith("POST")
                    and row.call not in CHALLENGES
                    and status == 200
                    and all_rows() != before
                ):
                    wrong.append(f"{row}, {role}: refused on its form, and left a trace")
    assert_none(wrong)


def test_every_form_wants_its_csrf_token(cast: Cast, admin: User, ann: User) -> None:
    careful = {
        "anonymous": Client(enforce_csrf_checks=True),
        "owner": signed_in(ann, enforce_csrf_checks=True),
        "admin": signed_in(admin, enforce_csrf_checks=True),
    }
    before = all_rows()
    for row in rows():
        if row.call.startswith("POST"):
            for role, browser in careful.items():
                answer = cast.call(row, role, browser)
                assert answer.status_code == 403, (row, role)
                assert answer.json()["code"] == "csrf_failed", (row, role)
    assert all_rows() == before


def test_nothing_but_a_form_and_a_page_is_answered(cast: Cast) -> None:
    before = all_rows()
    answered = {
        path: {row.call.split()[0] for row in rows() if row.call.split()[1] == path}
        for path in paths()
    }
    post = str(cast.posts["public"].id)
    values = {"uuid": "public", "id": post, "username": "target", "token": "x", "code": "x"}
    for path, methods in answered.items():
        for method in ("PUT", "PATCH", "DELETE", "POST", "GET"):
            if method not in methods:
                answer = cast.browsers["admin"].generic(method, path.format(**values))
                assert answer.status_code == 405, (method, path)
    assert all_rows() == before


def test_a_token_opens_nothing_on_the_site_that_a_stranger_does_not_see(
    cast: Cast, admin: User
) -> None:
    program = Client(headers={"Authorization": f"Bearer {mint_access_token(admin)}"})
    for row in rows():
        with rolled_back():
            answer = cast.call(row, "anonymous", program)
            assert answer.status_code == row.statuses[0], row


# Caches


def test_no_cache_keeps_what_depends_on_its_reader(cast: Cast) -> None:
    for row in rows():
        for role in ("anonymous", "owner", "blocked"):
            with rolled_back():
                answer = cast.call(row, role)
            kept, public = answer["Cache-Control"], not answer.cookies
            if (
                role == "anonymous"
                and row.call[:3] == "GET"
                and answer.status_code == 200
                and public
            ):
                assert kept == "public, max-age=2", row
                assert answer["ETag"], row
                assert "csrfmiddlewaretoken" not in answer.content.decode(), row
            else:
                assert kept == "private, no-store", (row, role)
            assert {"Cookie", "Accept-Language"} <= set(answer["Vary"].split(", ")), (row, role)


def test_what_has_not_changed_is_not_sent_again(post: Post) -> None:
    stranger = Client()
    first = stranger.get("/@ann")
    again = stranger.get("/@ann", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = stranger.get("/@ann", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_sessions_are_unique(ann: User) -> None:
    signed_in(ann), signed_in(ann)
    one, two = Session.objects.all()
    two.cookie_digest = one.cookie_digest
    with pytest.raises(IntegrityError):
        two.save()
