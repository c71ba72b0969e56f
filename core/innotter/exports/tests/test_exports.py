"""Taking one's data along: whole, in parts that outlive their worker, and for oneself alone."""

import io
import json
import os
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import ForeignKey
from django.utils import timezone

from innotter.accounts.models import AccountMail, User
from innotter.config.tests.routes import files
from innotter.conftest import (
    PASSWORD,
    Api,
    make_follower,
    new_page,
    new_post,
    no_trace,
    refusal,
)
from innotter.exports import archive, making, sections, storage
from innotter.exports.models import Export
from innotter.exports.services import forget_old_exports
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like

# All that use the bucket of exports, which each empties: one after another.
pytestmark = [pytest.mark.xdist_group("export_bucket"), pytest.mark.usefixtures("aws")]

ME = "/users/me/export"
CURRENT = {"current_password": PASSWORD}

# What names a user or a page and is in no archive.
LEFT_OUT = {
    "accounts.RefreshToken": "a secret",
    "accounts.MailToken": "a secret",
    "accounts.Invitation": "the operator's: it outlives who made it, and then names nobody",
    "accounts.Challenge": "a secret",
    "accounts.RecoveryCode": "a secret",
    "accounts.Totp": "a secret",
    "accounts.Passkey": "a key of a device, of use nowhere else",
    "accounts.KnownIP": "a keyed number",
    "accounts.KnownDevice": "a keyed number",
    "accounts.AccountMail": "lies in the mailbox",
    "accounts.FormerMailbox": "the reservation of an address for a week",
    "accounts.FormerUsername": "in account.json",
    "pages.FormerUuid": "addresses that only lead on",
    "pages.Page_tags": "in the pages",
    "mail.Delivery": "lies in the mailbox",
    "posts.IdempotencyKey": "a word of a program",
    "moderation.ModerationAction": "the moderators'",
    "exports.Export": "the archive itself",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files of few rows. Parts have the least size that S3 takes."""
    monkeypatch.setattr(sections, "ROWS_PER_FILE", 50)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    client = boto3.client("s3")
    for found in client.list_objects_v2(Bucket=settings.EXPORT_BUCKET).get("Contents", []):
        client.delete_object(Bucket=settings.EXPORT_BUCKET, Key=found["Key"])


def fetched(url: str) -> zipfile.ZipFile:
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        return zipfile.ZipFile(io.BytesIO(answer.read()))


def rows(found: zipfile.ZipFile, section: str) -> list[dict[str, Any]]:
    names = sorted(name for name in found.namelist() if name.startswith(f"{section}/"))
    return [json.loads(line) for name in names for line in found.read(name).splitlines()]


def test_an_archive_holds_all_that_is_ones_own_and_is_fetched_for_five_minutes(
    api: Api, ann: User, bob: User, page: Page
) -> None:
    picture = files()["PUT /users/me/image"]
    assert api(bob).upload("/users/me/image", picture).status_code == 200
    theirs = new_page(bob, uuid="bobs", tags=["harbour"], description="Лодки")
    post = new_post(page, "Ann's words")
    answer = new_post(theirs, "Ответ Боба", reply_to=post)
    like(actor=bob, post=post)
    assert api(bob).get(ME).json() == {
        "state": "none",
        "progress": 0,
        "url": None,
        "expires_at": None,
    }
    assert api(bob).post(ME, CURRENT).json()["state"] == "running"
    assert refusal(api(bob).post(ME, CURRENT)) == (409, "export_running")
    assert making.make_exports() == 1
    done = api(bob).get(ME).json()
    assert (done["state"], done["progress"]) == ("ready", 100)
    assert "X-Amz-Expires=300" in done["url"]
    found = fetched(done["url"])
    assert found.testzip() is None
    account = json.loads(found.read("account.json"))
    assert (account["username"], account["email"]) == ("bob", "bob@example.com")
    assert PASSWORD not in str(account)
    assert (
        rows(found, "pages")[0] | {"tags": ["harbour"], "description": "Лодки"}
        == (rows(found, "pages")[0])
    )
    [own] = rows(found, "posts")
    assert (own["id"], own["content"], own["reply_to"]) == (
        str(answer.id),
        "Ответ Боба",
        str(post.id),
    )
    assert [each["post"] for each in rows(found, "likes")] == [str(post.id)]
    assert {each["uuid"] for each in rows(found, "follows")} == {"ann", "ann-private"}
    [name] = [name for name in found.namelist() if name.startswith("pictures/")]
    assert found.read(name).startswith(b"RIFF")
    assert "Ann's words" not in str([found.read(each) for each in found.namelist()])
    mail = AccountMail.objects.get(user=bob)
    assert (mail.kind, mail.facts) == ("export_ready", {})


def test_one_is_asked_for_with_the_password_and_shown_to_its_owner(
    api: Api, ann: User, eve: User
) -> None:
    with no_trace():
        answer = api(ann).post(ME, {"current_password": "a guess"})
        assert answer.json()["errors"][0]["code"] == "wrong_password"
    api(ann).post(ME, CURRENT)
    making.make_exports()
    assert api(ann).get(ME).json()["url"]
    assert api(eve).get(ME).json()["state"] == "none"


class Killed(BaseException):
    pass


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("after", range(1, 6))
def test_who_dies_anywhere_leaves_it_to_the_next_who_completes_it(
    ann: User, page: Page, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Killed before or after a call of S3; the next worker comes when the claim has run out."""
    monkeypatch.setattr(archive, "PART_SIZE", 4_000)
    monkeypatch.setattr(storage, "complete", _joined)
    parts.clear()
    texts = [f"Post {n}" for n in range(300)]
    Post.objects.bulk_create([Post(page=page, content=text) for text in texts])
    Export.objects.create(user=ann)
    real, calls = storage.put_part, [0]

    def put_part(key: str, upload_id: str, number: int, data: bytes) -> str:
        calls[0] += 1
        if calls[0] == after // 2 + 1 and after % 2:
            raise Killed
        parts[number] = data
        tag = real(key, upload_id, number, data)
        if calls[0] == after // 2 + 1:
            raise Killed
        return tag

    monkeypatch.setattr(storage, "put_part", put_part)
    with pytest.raises(Killed):
        making.make_exports()
    assert making.make_exports() == 0
    Export.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert making.make_exports() == 1
    found = zipfile.ZipFile(io.BytesIO(b"".join(parts[n] for n in sorted(parts))))
    assert found.testzip() is None
    assert [row["content"] for row in rows(found, "posts")] == texts


# By number, as S3 would join them: it refuses parts of less than 5 MB, which here would be slow.
parts: dict[int, bytes] = {}


def _joined(key: str, upload_id: str, tags: list[str]) -> None:
    assert len(tags) == len(parts)


def test_an_archive_of_several_real_parts_is_whole(
    api: Api, ann: User, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what can't be compressed, as S3 takes and joins it."""
    blob = os.urandom(3_000_000)
    monkeypatch.setattr(archive, "_json", lambda value, indent=None: blob)
    for n in range(4):
        new_page(ann, uuid=f"page-{n}")
    monkeypatch.setattr(sections, "ROWS_PER_FILE", 1)
    api(ann).post(ME, CURRENT)
    assert making.make_exports() == 1
    found = fetched(api(ann).get(ME).json()["url"])
    assert found.testzip() is None
    assert len([name for name in found.namelist() if name.startswith("pages/")]) == 5


def test_what_s3_has_lost_is_begun_anew(ann: User, page: Page) -> None:
    Export.objects.create(user=ann, upload_id="lost", parts=['"a"'], position=["posts", None, 1])
    assert making.make_exports() == 1


def test_nobody_gets_what_was_made_for_who_is_gone(
    ann: User, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = Export.objects.create(user=ann)
    real = storage.complete

    def complete(key: str, upload_id: str, tags: list[str]) -> None:
        real(key, upload_id, tags)
        Export.objects.filter(pk=export.pk).delete()

    monkeypatch.setattr(storage, "complete", complete)
    assert making.make_exports() == 0
    assert "Contents" not in boto3.client("s3").list_objects_v2(
        Bucket=settings.EXPORT_BUCKET, Prefix=storage.key_of(ann.pk)
    )


def test_it_is_offered_for_a_week(api: Api, ann: User) -> None:
    api(ann).post(ME, CURRENT)
    making.make_exports()
    assert forget_old_exports() == 0
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert forget_old_exports() == 1
    assert api(ann).get(ME).json()["state"] == "none"
    found = boto3.client("s3").list_objects_v2(Bucket=settings.EXPORT_BUCKET)
    assert "Contents" not in found


def test_every_model_is_in_the_archive_or_left_out_for_a_reason() -> None:
    """Of all that names a user or a page."""
    named = {
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if "innotter" in model.__module__
        and any(
            isinstance(field, ForeignKey) and field.related_model in (User, Page)
            for field in model._meta.get_fields()
        )
    }
    written = {section.model._meta.label for section in sections.SECTIONS.values()}
    assert named - written <= LEFT_OUT.keys()
    assert not written & LEFT_OUT.keys()


def test_a_follower_of_mine_is_not_mine_to_take_along(api: Api, ann: User, bob: User) -> None:
    make_follower(bob, new_page(ann, uuid="anns"))
    api(ann).post(ME, CURRENT)
    making.make_exports()
    found = fetched(api(ann).get(ME).json()["url"])
    assert "bob" not in str([found.read(name) for name in found.namelist()])
