"""The cast and the tools of the core's tests.

Ann owns pages, Bob follows them, Eve is a stranger; a moderator and an admin look on.
Everything is made through the services where there is one, so that the events, counts and
rows of a test are those of real life.
"""

import io
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections, transaction
from django.db.models import Model
from django.test import Client, override_settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from hypothesis import HealthCheck, Phase, settings

from innotter.accounts.logins import log_in_to_site
from innotter.accounts.mail_tokens import mint_mail_token
from innotter.accounts.mailboxes import confirm_email
from innotter.accounts.models import MailToken, User
from innotter.accounts.services import register
from innotter.accounts.tokens import mint_access_token
from innotter.common import clients, maintenance
from innotter.common.compiled import statement_for
from innotter.common.models import Usage
from innotter.events.models import OutboxEvent
from innotter.feed import selectors as feed
from innotter.pages.follows import accept_requests, follow
from innotter.pages.models import Page
from innotter.pages.services import create_page
from innotter.posts.models import Post
from innotter.posts.services import create_post
from innotter_contracts.logs import configure_logs
from innotter_contracts.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

PASSWORD = "correct horse battery staple"
# What calls a service where no request does.
CLIENT = clients.Client(ip="192.0.2.1", user_agent="A browser")

# `make test ARGS=--nightly` asks for many times as many.
EXAMPLES_FACTOR = int(os.environ.get("EXAMPLES_FACTOR", "1"))


def property_tests(examples: int) -> settings:
    """For properties of rows. Which rows are drawn, the seed says that dev/run_tests.py gives."""
    return settings(
        max_examples=examples * EXAMPLES_FACTOR,
        deadline=None,
        # What fails is small already, and shrinking it would take minutes.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        # Nor does it matter how long drawing takes on a busy machine.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


property_test = property_tests(25)


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    """Argon2 is slow on purpose, and each new client would look for all static files first.

    Tests about passwords override the hasher again.
    """
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        WHITENOISE_USE_FINDERS=False,
    ):
        yield


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is sent to PostgreSQL meanwhile: each statement and its values."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


@pytest.fixture(autouse=True)
def _no_maintenance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for it but in the tests about it: what others count is theirs."""
    monkeypatch.setattr(maintenance, "_known", maintenance._Known(looked_at=math.inf))


@pytest.fixture(autouse=True)
def _no_remembered_post(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was the newest in another test is not this one's."""
    monkeypatch.setattr(feed, "LOOK_EVERY", 0)


@pytest.fixture
def recompiled() -> Iterator[None]:
    """For a test that changes what is a constant of a read."""
    statement_for.cache_clear()
    yield
    statement_for.cache_clear()


# The cast


@pytest.fixture
def ann(db: None) -> User:
    """Owns `page` and `private_page`."""
    return new_user("ann")


@pytest.fixture
def page(ann: User) -> Page:
    """Ann's, public, with the uuid `ann`."""
    return new_page(ann, uuid="ann")


@pytest.fixture
def private_page(ann: User) -> Page:
    """Ann's, private, with the uuid `ann-private`."""
    return new_page(ann, uuid="ann-private", is_private=True)


@pytest.fixture
def post(page: Page) -> Post:
    """Ann's, on `page`."""
    return new_post(page)


@pytest.fixture
def bob(page: Page, private_page: Page) -> User:
    """Follows both pages of Ann."""
    bob = new_user("bob")
    make_follower(bob, page)
    make_follower(bob, private_page)
    return bob


@pytest.fixture
def eve(db: None) -> User:
    """A stranger: owns and follows nothing."""
    return new_user("eve")


@pytest.fixture
def moderator(db: None) -> User:
    return new_user("moderator", role=User.Role.MODERATOR)


@pytest.fixture
def admin(db: None) -> User:
    return new_user("admin", role=User.Role.ADMIN)


@pytest.fixture
def browser(admin: User) -> Client:
    """An admin's, signed in."""
    return signed_in(admin)


def signed_in(user: User, **defaults: Any) -> Client:
    """A browser that has just logged in to the site, whose login is the panel's too."""
    browser = Client(**defaults)
    browser.cookies[django_settings.SITE_SESSION_COOKIE] = log_in_to_site(
        login=user.username, password=PASSWORD, client=CLIENT
    )
    return browser


def new_user(username: str, *, role: str = User.Role.USER, is_blocked: bool = False) -> User:
    """Registered as `username`@example.com, confirmed, with PASSWORD; who has a role was made by
    the operator, under names that nobody else may take."""
    email = f"{username}@example.com"
    if role != User.Role.USER or is_blocked:
        made: User = User.objects.create_user(
            username, email, PASSWORD, role=role, is_blocked=is_blocked
        )
        return made
    return register(username=username, email=email, password=PASSWORD)


def confirm_mailbox(user: User) -> None:
    """The one that the user claims, by the link in a mail."""
    token = mint_mail_token(user, MailToken.Purpose.CONFIRM, user.pending_email)
    confirm_email(token=token, client=CLIENT)
    user.refresh_from_db()


def new_page(owner: User, **fields: Any) -> Page:
    return create_page(actor=owner, **{"name": f"A page of {owner.username}", **fields})


def new_post(page: Page, content: str = "Hello, world", reply_to: Post | None = None) -> Post:
    return create_post(actor=page.owner, page=page, content=content, reply_to=reply_to)


def make_follower(user: User, page: Page) -> None:
    """Follows the page; if it is private, with its owner's consent."""
    if follow(actor=user, page=page).viewer_follow == "requested":
        accept_requests(actor=page.owner, page=page, usernames=[user.username])


type Log = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> Iterator[Log]:
    """`log()` gives the lines that were logged since the test began, as production writes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stdout(io.StringIO()) as out:
        configure_logs(service="core", style="json")
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


# The callers of the API


class Caller:
    """Calls the API as a client of the user does, or of nobody: JSON and a fresh access token.

    Paths begin below /api/v1; the `next` and `previous` of a list are taken as they are.
    An error that the core did not foresee is raised here instead of becoming a 500.
    """

    def __init__(self, user: User | None) -> None:
        self._user = user
        self._client = Client()

    def get(self, path: str, **query: Any) -> "Answer":
        return self._client.get(_url(path), query or None, headers=self._headers())

    def post(self, path: str, body: Any = None) -> "Answer":
        return self._send("POST", path, body)

    def put(self, path: str, body: Any = None) -> "Answer":
        return self._send("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> "Answer":
        return self._send("PATCH", path, body)

    def delete(self, path: str, body: Any = None) -> "Answer":
        return self._send("DELETE", path, body)

    def upload(
        self, path: str, *files: bytes, name: str = "picture.png", charset: str = "utf-8"
    ) -> "Answer":
        """PUTs a form with the files as `image`, each of that name."""
        body = {"image": [SimpleUploadedFile(name, file) for file in files]}
        return self._client.generic(
            "PUT",
            _url(path),
            encode_multipart(BOUNDARY, body),
            f"{MULTIPART_CONTENT}; charset={charset}",
            headers=self._headers(),
        )

    def answers(self, path: str, link: str = "next", **query: Any) -> Iterator[Any]:
        """The answers of a list along its `next`, or its `previous`, links, to the end or where
        only polling leads on."""
        followed = set()
        answer = self.get(path, **query).json()
        yield answer
        while answer[link]:
            assert answer[link] not in followed, "the list goes in a circle"
            followed.add(answer[link])
            asked, answer = answer[link], self.get(answer[link]).json()
            yield answer
            if answer[link] == asked:
                assert answer["results"] == []
                return

    def walk(self, path: str, **query: Any) -> list[Any]:
        """All rows of a list, from the first answer to the last."""
        return [row for answer in self.answers(path, **query) for row in answer["results"]]

    def there_and_back(self, path: str, **query: Any) -> tuple[list[Any], list[Any]]:
        """All rows on the way to a list's end, and those on the way back, both in its order."""
        answers = list(self.answers(path, **query))
        there = [row for answer in answers for row in answer["results"]]
        back = answers[-1]["results"]
        if answers[-1]["previous"]:
            for answer in self.answers(answers[-1]["previous"], "previous"):
                back = answer["results"] + back
        return there, back

    def _send(self, method: str, path: str, body: Any) -> "Answer":
        data = "" if body is None else json.dumps(body)
        return self._client.generic(
            method, _url(path), data, "application/json", headers=self._headers()
        )

    def _headers(self) -> dict[str, str]:
        if self._user is None:
            return {}
        return {"Authorization": f"Bearer {mint_access_token(self._user)}"}


type Api = Callable[..., Caller]


@pytest.fixture
def api(db: None) -> Api:
    """`api(bob)` calls as Bob, `api()` as nobody."""

    def caller(user: User | None = None) -> Caller:
        return Caller(user)

    return caller


def _url(path: str) -> str:
    return path if path.startswith("http") else f"/api/v1{path}"


def refusal(answer: "Answer") -> tuple[int, str]:
    """The status and the code of an answer that is a problem document."""
    said = f"{answer.status_code} {answer.content[:300].decode(errors='replace')}"
    assert answer.get("Content-Type") == MEDIA_TYPE, f"no refusal but {said}"
    document = answer.json()
    assert answer.status_code == document["status"], said
    return document["status"], document["code"]


def bad_fields(answer: "Answer") -> list[str]:
    """The fields that a 400 complains of."""
    assert refusal(answer) == (400, "invalid")
    return [error["field"] for error in answer.json()["errors"]]


# What has happened


type Events = Callable[[], list[str]]


@pytest.fixture
def events(request: pytest.FixtureRequest, db: None) -> Events:
    """`events()` lists the types of the events recorded since the test began, oldest first."""
    for name in request.fixturenames:
        # What the cast did before is no part of the story.
        if name != "events":
            request.getfixturevalue(name)
    before = set(OutboxEvent.objects.values_list("id", flat=True))

    def since() -> list[str]:
        return list(
            OutboxEvent.objects.exclude(id__in=before).order_by("id").values_list("type", flat=True)
        )

    return since


@contextmanager
def no_trace() -> Iterator[None]:
    """What is done inside leaves every row of the core as it was, the outbox included."""
    before = all_rows()
    yield
    assert all_rows() == before


def all_rows() -> dict[str, list[str]]:
    """By the name of the model, each row as PostgreSQL writes it: one statement for all tables, for
    it is asked after every call that is refused."""
    models = counted_models()
    rows = "ARRAY(SELECT t::text FROM {} AS t)"
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(rows.format(m._meta.db_table) for m in models))
        [found] = cursor.fetchall()
    return {model._meta.label: sorted(rows) for model, rows in zip(models, found, strict=True)}


def counted_models() -> list[type[Model]]:
    """How often somebody has called is not what a call leaves."""
    every = apps.get_models(include_auto_created=True)
    return [m for m in every if "innotter" in m.__module__ and m is not Usage]


@contextmanager
def rolled_back() -> Iterator[None]:
    """What is done inside is undone. Unlike `atomic()` it lets services see no transaction but that
    of the test, as a request does: what is counted must not be counted within one."""
    savepoint = transaction.savepoint_create()
    try:
        yield
    finally:
        transaction.savepoint_rollback(savepoint)


def at_once[T](*calls: Callable[[], T]) -> list[T]:
    """What the calls return, each made in a thread of its own, all let go at one moment.

    For tests with `django_db(transaction=True)`: each thread has a connection of its own.
    """
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(timeout=30)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def wait_until_blocked(other: Future[None]) -> None:
    """Until another thread waits for a lock of ours, or is through."""
    deadline = time.monotonic() + 30
    while not other.done():
        assert time.monotonic() < deadline, "it neither waits nor ends"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone():
                return
        time.sleep(0.01)
