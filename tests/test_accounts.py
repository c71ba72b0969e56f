"""Accounts end to end: ways in, a lost password, an archive of one's data, leaving and being
deleted."""

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from dev.aws import answers
from dev.ports import HOST, Port
from dev.stack import READY_BOUND, Stack, manage
from tests.people import PASSWORD, Person, eventually, run, token_in_mail

pytestmark = pytest.mark.xdist_group("stack")

ANOTHER = "a loud harbour 8"
CURRENT = {"current_password": PASSWORD}


def ask(person: Person, method: str, path: str, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {person.token}"} if person.token else {}
    url = f"{person.stack.core_url}/api/v1{path}"
    return httpx.request(method, url, headers=headers, json=body, timeout=30)


@contextmanager
def core_with(stack: Stack, **settings: str) -> Iterator[Stack]:
    """The stack, with another core in front of its database that has these settings."""
    port = Port()
    other = copy(stack)
    other.core_url = f"http://localhost:{port.release()}"
    command = manage("run", "api", "--host", HOST, "--port", str(port.number))
    env = {**stack.env, "API_PROCESSES": "1", **settings}
    core = stack.processes.start("core-with-settings", command, env=env)
    try:
        core.wait_until(lambda: answers(f"{other.core_url}/health/ready"), seconds=READY_BOUND)
        yield other
    finally:
        core.stop()


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Person:
    admin = Person.arrives(stack, "admin")
    code, said = run(stack, "promote", admin.name)
    assert code == 0, said
    admin.log_in()
    return admin


def comes(stack: Stack, name: str, *, expect: int, **more: str) -> Person:
    """Registered perhaps, and not logged in."""
    person = Person(stack, f"{name}-{uuid4().hex[:8]}")
    body = {"username": person.name, "email": person.email, "password": PASSWORD, **more}
    person.post("/auth/register", expect=expect, **body)
    return person


def test_an_invitation_and_the_link_in_a_mail_make_an_account(stack: Stack, admin: Person) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    code = admin.post("/invites", uses=1, expires_at=tomorrow, expect=201)["code"]
    with core_with(stack, REGISTRATION="invitation", EMAIL_CONFIRMATION="before_account") as core:
        comes(core, "eve", expect=403)
        zoe = comes(core, "zoe", expect=202, invite=code)
        comes(core, "eve", expect=400, invite=code)
        zoe.post("/auth/login", login=zoe.name, password=PASSWORD, expect=401)
        zoe.post("/auth/email/confirm", token=zoe.link_to("/confirm/"), expect=204)
        zoe.log_in()
    assert admin.get(f"/invites/{code}")["used"] == 1


def test_moderators_decide_who_comes_and_nobody_comes_where_it_is_closed(
    stack: Stack, admin: Person
) -> None:
    with core_with(stack, REGISTRATION="approval") as core:
        zoe = comes(core, "zoe", expect=202)
        zoe.post("/auth/email/confirm", token=zoe.link_to("/confirm/"), expect=204)
        zoe.post("/auth/login", login=zoe.name, password=PASSWORD, expect=401)
        waiting = admin.get("/registrations")["results"]
        [claim] = [claim["id"] for claim in waiting if claim["username"] == zoe.name]
        admin.post(f"/registrations/{claim}/approve")
        zoe.log_in()
        assert zoe.get("/users/me")["username"] == zoe.name
    with core_with(stack, REGISTRATION="closed") as core:
        comes(core, "eve", expect=403)
        Person(core, zoe.name).log_in()


def test_a_lost_password_is_set_anew_by_a_link_in_the_mail(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann", confirmed=True)
    ann.post("/auth/password-reset", email=ann.email, expect=202)
    ann.post("/auth/password-reset", email="nobody@example.com", expect=202)
    token = token_in_mail(stack, ann.email, "/password/reset/")
    stranger = Person(stack, ann.name)
    stranger.post("/auth/password-reset/confirm", token=token, password=ANOTHER, expect=204)
    # It was good once, and all sessions are over.
    again = {"token": token, "password": PASSWORD}
    assert ask(stranger, "POST", "/auth/password-reset/confirm", **again).status_code == 400
    assert ask(ann, "GET", "/users/me").status_code == 401
    stranger.post("/auth/login", login=ann.name, password=PASSWORD, expect=401)
    stranger.post("/auth/login", login=ann.email, password=ANOTHER)


def test_ones_data_comes_as_an_archive(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann", confirmed=True)
    uuid = ann.new_page()
    ann.post(f"/pages/{uuid}/posts", content="Fog over the water.", expect=201)
    assert ask(ann, "POST", "/users/me/export", **CURRENT).status_code == 202
    made = eventually(lambda: ann.get("/users/me/export"), lambda export: export["url"], seconds=60)
    with urllib.request.urlopen(made["url"]) as answer:  # noqa: S310
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    text = "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    assert "Fog over the water." in text
    assert ann.email in text
    assert json.loads(archive.read("account.json"))


def test_who_leaves_may_come_back_and_who_is_deleted_is_gone(stack: Stack, admin: Person) -> None:
    ann, bob = Person.arrives(stack, "ann", confirmed=True), Person.arrives(stack, "bob")
    uuid = ann.new_page()
    ann.post(f"/pages/{uuid}/posts", content="Soon gone", expect=201)
    eventually(lambda: ann.statistics(uuid).status_code, lambda status: status == 200)

    assert ask(ann, "DELETE", "/users/me", **CURRENT).status_code == 202
    assert ask(bob, "GET", f"/pages/{uuid}").status_code == 404
    ann.log_in()
    assert ask(ann, "GET", "/feed").json()["code"] == "user_leaving"
    eventually(lambda: ann.statistics(uuid).status_code, lambda status: status in (401, 403))
    assert ask(ann, "POST", "/users/me/restore").status_code == 200
    assert bob.get(f"/pages/{uuid}/posts")["results"][0]["content"] == "Soon gone"
    eventually(lambda: ann.statistics(uuid).status_code, lambda status: status == 200)

    assert ask(admin, "DELETE", f"/users/{ann.name}").status_code in (202, 204)
    stack.processes.run(
        f"gone-{ann.name}",
        manage("shell", "-c", "from innotter.deletion.services import delete_due; delete_due()"),
        env=stack.env,
        seconds=60,
    )
    assert ask(admin, "GET", f"/users/{ann.name}").status_code == 404
    assert ask(admin, "GET", f"/pages/{uuid}").status_code == 404
    bob.post("/auth/login", login=ann.name, password=PASSWORD, expect=401)
    taken = {"username": ann.name, "email": "new@example.com", "password": PASSWORD}
    assert ask(bob, "POST", "/auth/register", **taken).json()["code"] == "username_taken"
