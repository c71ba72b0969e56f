"""Accounts end to end: a lost password, an archive of one's data, leaving and being deleted."""

import io
import json
import urllib.request
import zipfile

import httpx
import pytest

from dev.stack import Stack, manage
from tests.people import PASSWORD, Person, eventually, token_in_mail

pytestmark = pytest.mark.xdist_group("stack")

ANOTHER = "a loud harbour 8"
CURRENT = {"current_password": PASSWORD}


def ask(person: Person, method: str, path: str, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {person.token}"} if person.token else {}
    url = f"{person.stack.core_url}/api/v1{path}"
    return httpx.request(method, url, headers=headers, json=body, timeout=30)


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


def test_who_leaves_may_come_back_and_who_is_deleted_is_gone(stack: Stack) -> None:
    ann, bob = Person.arrives(stack, "ann", confirmed=True), Person.arrives(stack, "bob")
    admin = Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    admin.log_in()
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
