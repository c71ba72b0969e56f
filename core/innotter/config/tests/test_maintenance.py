"""Read-only: everything that writes is refused in one place, and everything else goes on."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from innotter.accounts.models import Session, User
from innotter.accounts.tokens import mint_access_token
from innotter.common import maintenance
from innotter.common.errors import Invalid, ReadOnly
from innotter.common.metrics import FAILURES
from innotter.common.models import Maintenance
from innotter.common.outages import is_passing
from innotter.config.celery import app, is_ours
from innotter.config.tests.routes import bodies, routes
from innotter.conftest import Log, all_rows, new_page, new_post, new_user, refusal, signed_in
from innotter.mail.tokens import unsubscribe_token
from innotter.posts.models import Post
from innotter.web.tests.test_routes import Cast, cast, rows

__all__ = ["cast"]  # a fixture

REASON = "A new version comes."
REFUSED = (503, "maintenance")
# Of the panel: its start, a list, and a page that asks before it acts.
PANEL = ["/admin/", "/admin/accounts/user/", "/admin/events/outboxevent/"]


@pytest.fixture
def read_only(db: None) -> None:
    maintenance.begin(REASON)


@pytest.fixture
def nothing_written(db: None) -> None:
    """PostgreSQL itself refuses what writes."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET TRANSACTION READ ONLY")


@pytest.fixture
def post(db: None) -> Post:
    """On the page `ann` of the admin ann."""
    return new_post(new_page(new_user("ann", role=User.Role.ADMIN), uuid="ann"))


@pytest.fixture
def client(post: Post) -> Client:
    """Ann's, at the API, the site and the panel."""
    return signed_in(
        post.page.owner, headers={"Authorization": f"Bearer {mint_access_token(post.page.owner)}"}
    )


def answers(client: Client, post: Post) -> Iterator[tuple[str, Any]]:
    """Of every route of the API."""
    body_of = bodies(refresh="a refresh token")
    token = unsubscribe_token(post.page.owner_id, post.page_id)
    values = {"uuid": "ann", "username": "ann", "tag": "x", "code": "abc", "id": post.id}
    for route in routes():
        body = json.dumps(body_of.get(str(route), {}))
        path = "/api/v1" + route.path.format(**values, token=token)
        query = {"q": "ann"} if route.path in ("/search", "/tags") else None
        yield (
            str(route),
            client.generic(route.method, path, body, "application/json", query_params=query),
        )


def test_the_api_refuses_what_writes_and_answers_what_reads(
    client: Client, post: Post, read_only: None, nothing_written: None
) -> None:
    found = dict(answers(client, post))
    reads = {route for route in found if route.startswith("GET ")}
    others = {route for route in reads if found[route].status_code != 200}
    # There is none.
    assert others == {"GET /invites/{code}"}
    assert {route for route in found.keys() - reads if refusal(found[route]) != REFUSED} == set()
    assert {found[route]["Retry-After"] for route in found.keys() - reads} == {"60"}
    assert len(reads) > 20
    assert len(found) > 60


def test_strangers_are_refused_alike(post: Post, read_only: None) -> None:
    found = dict(answers(Client(), post))
    writes = {route for route in found if not route.startswith("GET ")}
    assert {route for route in writes if refusal(found[route]) != REFUSED} == set()
    assert found["GET /pages/{uuid}"].status_code == 200


def test_so_does_the_site(cast: Cast, read_only: None) -> None:
    """Every address that the table of the site names: what is read answers as ever. Attempts at
    the links of mails are counted all the same."""
    before = all_rows()
    wrong = []
    for row in rows():
        for role, status in zip(
            ("anonymous", "owner"), (row.statuses[0], row.statuses[3]), strict=True
        ):
            answer = cast.call(row, role)
            expected = 503 if row.call.startswith("POST") else status
            if answer.status_code != expected:
                wrong.append(f"{row}, {role}: {answer.status_code} instead of {expected}")
    assert wrong == []
    assert all_rows() == before


@pytest.mark.parametrize("path", PANEL)
def test_so_does_the_panel(
    client: Client, read_only: None, nothing_written: None, path: str
) -> None:
    shown = client.get(path)
    assert shown.status_code == 200
    assert REASON in shown.content.decode()
    assert refusal(client.post(path, {"action": "x"})) == REFUSED


def test_probes_and_preflights_are_answered(client: Client, read_only: None) -> None:
    for path in ("/health/live", "/health/ready", "/.well-known/jwks.json"):
        assert client.get(path).status_code == 200
    assert client.options("/api/v1/pages").status_code != 503


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Read-only for now"), ("ru", "Сейчас можно только читать")],
)
def test_people_are_told_on_each_page_and_where_they_are_refused(
    post: Post, read_only: None, language: str, words: str
) -> None:
    browser = Client(headers={"Accept": "text/html", "Accept-Language": language})
    for path in ("/", "/@ann", "/login", "/about"):
        page = browser.get(path).content.decode()
        assert words in page
        assert f"<bdi>{REASON}</bdi>" in page
    refused = browser.post("/login", {"login": "ann", "password": "x"})
    assert (refused.status_code, refused["Retry-After"]) == (503, "60")
    assert f"<h1>{words}</h1>" in refused.content.decode()
    maintenance.end()
    assert words not in browser.get("/").content.decode()


def test_a_session_in_use_is_not_written_down(client: Client, read_only: None, post: Post) -> None:
    """Neither that it was used nor, with another role, another cookie."""
    Session.objects.update(last_used_at=timezone.now() - timedelta(days=1), cookie_role="user")
    before = all_rows()
    assert client.get("/settings").status_code == 200
    assert all_rows() == before
    maintenance.end()
    client.get("/settings")
    assert all_rows() != before


def test_a_refusal_is_no_failure_and_its_line_holds_no_token(
    post: Post, read_only: None, log: Log
) -> None:
    before = FAILURES._value.get()
    Client().post("/confirm/a-secret-token")
    assert FAILURES._value.get() == before
    (line,) = [line for line in log() if line["event"] == "request"]
    assert (line["status"], line["refused"]) == (503, "maintenance")
    assert "a-secret-token" not in json.dumps(line)


def test_no_task_is_begun(read_only: None) -> None:
    """It would be published anew, or left to its next turn, as if the database were away."""
    app.loader.import_default_modules()
    ours = [app.tasks[name] for name in filter(is_ours, app.tasks)]
    assert len(ours) > 10
    for task in ours:
        with pytest.raises(ReadOnly) as refused:
            task()
        assert is_passing(refused.value)


def test_a_look_is_believed_for_a_second_and_no_longer(
    read_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    now = SimpleNamespace(monotonic=lambda: clock[0])
    monkeypatch.setattr("innotter.common.maintenance.time", now)
    maintenance.forget()
    assert maintenance.maintenance()
    # Of another process.
    Maintenance.objects.all().delete()
    clock[0] += maintenance.LOOK_EVERY * 0.9
    assert maintenance.maintenance()
    clock[0] += maintenance.LOOK_EVERY * 0.1
    assert not maintenance.maintenance()


def test_it_is_one_row_whose_reason_may_change(db: None) -> None:
    first = maintenance.begin("One.")
    second = maintenance.begin("Another.")
    assert (second.since, Maintenance.objects.get().reason) == (first.since, "Another.")
    assert maintenance.end() is True
    assert maintenance.end() is False


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is there who would have to believe it."""
    monkeypatch.setattr(maintenance, "BELIEVED_IN", 0)


def test_the_command_says_in_one_line_what_it_did(
    db: None, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("maintenance", "on", "--reason", REASON)
    since = f"{Maintenance.objects.get().since:%Y-%m-%d %H:%M:%S} UTC"
    call_command("maintenance", "off")
    call_command("maintenance", "off")
    assert capsys.readouterr().out.splitlines() == [
        f"Read-only since {since}: {REASON}",
        "Writes go on.",
        "There was no maintenance.",
    ]


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 201])
def test_a_reason_is_one_visible_line(db: None, quick: None, reason: str) -> None:
    with pytest.raises(Invalid):
        call_command("maintenance", "on", "--reason", reason)
    assert not Maintenance.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_waits_for_what_is_being_written(quick: None) -> None:
    written, ended = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            new_user("slow")
            written.set()
            ended.wait(30)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert written.wait(30)

    def begin() -> None:
        call_command("maintenance", "on", "--reason", "x")
        connection.close()

    command = threading.Thread(target=begin)
    command.start()
    while not Maintenance.objects.exists():
        pass
    assert maintenance.still_writing() == 1
    assert command.is_alive()
    ended.set()
    writer.join(30)
    command.join(30)
    assert not command.is_alive()
