"""Pictures that nobody shows any more go, and no other ones, whatever happens at that moment."""

import secrets
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.utils import timezone

from innotter.accounts import services as accounts
from innotter.accounts.models import User
from innotter.conftest import at_once, wait_until_blocked
from innotter.media import services, storage
from innotter.media.models import Picture
from innotter.media.services import KEPT_UNUSED, forget_pictures, store_picture
from innotter.pages.models import Page


@pytest.fixture(autouse=True)
def _as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored here is what was sent: nobody looks at it."""
    monkeypatch.setattr(services, "_avatars", lambda file, kind: [file, file])


def a_file() -> bytes:
    """Like no other."""
    return secrets.token_bytes(32)


def stored_now() -> str:
    return sent(a_file())


def stored_long_ago() -> str:
    name = stored_now()
    grow_old(name)
    return name


def sent(file: bytes) -> str:
    return store_picture(image=SimpleUploadedFile("a.png", file))


def grow_old(name: str) -> None:
    asked = timezone.now() - KEPT_UNUSED - timedelta(seconds=1)
    Picture.objects.filter(name=name).update(updated_at=asked)


def show(row: User | Page, name: str | None) -> None:
    row.image_id = name
    row.save(update_fields=["image"])


def is_there(name: str) -> bool:
    """Both files of it, or neither."""
    client, found = boto3.client("s3"), []
    for size in storage.SIZES:
        try:
            client.head_object(Bucket=settings.MEDIA_BUCKET, Key=f"{name}/{size}.webp")
            found.append(True)
        except ClientError:
            found.append(False)
    assert len(set(found)) == 1
    return found[0]


def test_what_nobody_shows_goes(ann: User, page: Page) -> None:
    before, face, harbour, unused = (stored_long_ago() for _ in range(4))
    show(ann, before)
    show(ann, face)
    show(page, harbour)
    young = stored_now()

    assert forget_pictures() == 2
    assert forget_pictures() == 0
    assert [is_there(name) for name in (before, unused)] == [False, False]
    assert [is_there(name) for name in (face, harbour, young)] == [True, True, True]
    assert set(Picture.objects.values_list("name", flat=True)) == {face, harbour, young}


def test_a_picture_that_two_show_goes_after_the_second(ann: User, page: Page) -> None:
    shared = stored_long_ago()
    show(ann, shared)
    show(page, shared)
    show(ann, None)
    assert forget_pictures() == 0
    page.delete()
    assert forget_pictures() == 1
    assert not is_there(shared)


def test_what_is_asked_for_again_is_young_again(db: None) -> None:
    file = a_file()
    name = sent(file)
    grow_old(name)
    assert sent(file) == name
    assert forget_pictures() == 0
    assert is_there(name)


def test_a_file_that_was_lost_is_there_again_when_it_is_sent_again(db: None) -> None:
    file = a_file()
    name = sent(file)
    storage.delete([name])
    assert not is_there(name)
    assert sent(file) == name
    assert is_there(name)


def test_many_go_in_several_steps(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "FORGOTTEN_AT_ONCE", 2)
    really_delete, steps = storage.delete, list[int]()

    def delete(names: Collection[str]) -> None:
        steps.append(len(names))
        really_delete(names)

    monkeypatch.setattr(storage, "delete", delete)
    names = [stored_long_ago() for _ in range(3)]
    assert forget_pictures() == 3
    assert steps == [2, 1]
    assert not any(is_there(name) for name in names)


def test_with_s3_down_nothing_is_forgotten_before_its_time(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = stored_long_ago()
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        away.setattr(storage, "_client", storage._client.__wrapped__)
        with pytest.raises(storage.StorageUnavailable):
            forget_pictures()
    assert Picture.objects.filter(name=name).exists()
    assert forget_pictures() == 1
    assert not is_there(name)


# At the moment at which somebody sends it again


@pytest.mark.django_db(transaction=True)
def test_who_sends_a_picture_while_it_goes_waits_and_stores_it_anew(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file()
    name = sent(file)
    grow_old(name)
    really_delete, again = storage.delete, list[Future[None]]()

    def show() -> None:
        try:
            accounts.set_image(actor=ann, image=SimpleUploadedFile("a.png", file))
        finally:
            connections.close_all()

    def delete(names: Collection[str]) -> None:
        again.append(thread.submit(show))
        wait_until_blocked(again[0])
        assert not again[0].done()
        really_delete(names)

    monkeypatch.setattr(storage, "delete", delete)
    with ThreadPoolExecutor(1) as thread:
        assert forget_pictures() == 1
        again[0].result(timeout=30)
    ann.refresh_from_db()
    assert ann.image_id == name
    assert is_there(name)


@pytest.mark.django_db(transaction=True)
def test_in_either_order_a_picture_that_is_shown_is_there(ann: User) -> None:
    for _ in range(8):
        file = a_file()
        name = sent(file)
        grow_old(name)

        def show(file: bytes = file) -> object:
            return accounts.set_image(actor=ann, image=SimpleUploadedFile("a.png", file))

        at_once(show, forget_pictures, forget_pictures)
        ann.refresh_from_db()
        assert ann.image_id == name
        assert is_there(name)
