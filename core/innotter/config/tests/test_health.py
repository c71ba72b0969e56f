"""Readiness is what a load balancer believes: 503, with a name, wherever requests would fail."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from innotter.accounts.keys import create_signing_keys
from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.common.metrics import DISK_FULL
from innotter.conftest import refusal
from innotter.posts.models import Post
from innotter.statistics import metrics


def readiness() -> tuple[int, str]:
    answer = Client().get("/health/ready")
    return answer.status_code, answer.json().get("detail", "")


def test_alive_needs_no_database() -> None:
    """pytest-django refuses the database to a test that did not ask for it."""
    assert Client().get("/health/live").json() == {"status": "ok"}


def test_ready_with_database_and_keys(db: None) -> None:
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_database_of_an_older_version_is_not_ready(db: None) -> None:
    applied = MigrationRecorder.Migration.objects
    applied.filter(app="posts").order_by("-id")[0].delete()
    assert readiness() == (503, "Down: migrations.")


def test_one_of_a_newer_version_is(db: None) -> None:
    MigrationRecorder(connection).record_applied("posts", "9999_of_the_next_version")
    assert readiness() == (200, "")


def test_an_empty_database_is_not_ready(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    assert readiness() == (503, "Down: migrations.")


def damaged(file: Path, damage: str) -> None:
    text = file.read_text()
    other = file.with_name("other.json")
    create_signing_keys(other, prefix="")
    match damage:
        case "missing":
            file.unlink()
        case "cut off":
            file.write_text(text[: len(text) // 2])
        case "no key":
            file.write_text('{"keys": []}')
        case "no object":
            file.write_text('["keys"]')
        case "no bytes of a text":
            file.write_bytes(b"\xff\xfe")
        case "half of another":
            [key], [another] = (json.loads(each)["keys"] for each in (text, other.read_text()))
            file.write_text(json.dumps({"keys": [{**key, "x": another["x"]}]}))


DAMAGES = ["missing", "cut off", "no key", "no object", "no bytes of a text", "half of another"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_keys_that_sign_nothing_are_not_ready_and_no_500(
    settings: Any, tmp_path: Path, ann: User, damage: str
) -> None:
    settings.SIGNING_KEYS_FILE = tmp_path / "keys.json"
    create_signing_keys(settings.SIGNING_KEYS_FILE, prefix="")
    headers = {"Authorization": f"Bearer {mint_access_token(ann)}"}
    damaged(settings.SIGNING_KEYS_FILE, damage)
    browser = Client(raise_request_exception=False)
    assert readiness() == (503, "Down: keys.")
    for answer in (
        browser.get("/api/v1/users/me", headers=headers),
        browser.get("/.well-known/jwks.json"),
    ):
        assert refusal(answer) == (503, "keys_unavailable")
        assert answer["Retry-After"]
    # Who needs no keys is served.
    assert Client().get("/api/v1/pages").status_code == 200


def test_a_disk_of_postgresql_that_is_full_is_counted_and_answered_503(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER no_space BEFORE INSERT ON accounts_user EXECUTE FUNCTION no_space()"
        )
    before = DISK_FULL._value.get()
    account = {"username": "zoe", "email": "zoe@example.com", "password": "a quiet harbour 7"}
    browser = Client(raise_request_exception=False)
    answer = browser.post("/api/v1/auth/register", account, content_type="application/json")
    assert refusal(answer) == (503, "database_unavailable")
    assert DISK_FULL._value.get() == before + 1


def test_the_size_of_the_instance_stands_in_the_panel(
    browser: Client, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin at the browser is active; the author of the post only exists."""
    monkeypatch.setattr(metrics, "_remembered", metrics._Count())
    counted = metrics.figures_of_instance()
    assert counted == (User.objects.count(), {"day": 1, "month": 1}, 1, 1)
    panel = browser.get("/admin/").content.decode()
    assert f'<th scope="row">Users</th><td>{counted.users}</td>' in panel


def test_a_large_table_is_estimated(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE posts_post")
        cursor.execute("DELETE FROM posts_post")
    assert metrics._rows_of(Post) == 0
    monkeypatch.setattr(metrics, "EXACT", 0)
    assert metrics._rows_of(Post) == 1
