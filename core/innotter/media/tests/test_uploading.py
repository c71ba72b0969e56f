"""Giving a user or a page a picture, and taking it away."""

import io
from typing import Any

import boto3
import pytest
from django.conf import settings
from PIL import Image

from innotter.accounts.models import User
from innotter.common.maintenance import begin
from innotter.conftest import Api, Events, bad_fields, no_trace, refusal
from innotter.media import services, storage
from innotter.media.tests.pictures import png, stored
from innotter.pages.models import Page

both = pytest.mark.parametrize("route", ["/users/me/image", "/pages/ann/image"])


def shown(api: Api, route: str) -> Any:
    return api().get("/users/ann" if "users" in route else "/pages/ann").json()["image"]


@both
def test_a_picture_comes_in_two_sizes_at_the_url_in_the_answer(
    api: Api, ann: User, page: Page, events: Events, route: str
) -> None:
    answer = api(ann).upload(route, png("navy"))
    assert answer.status_code == 200
    assert answer.json()["image"] == shown(api, route)
    assert answer.json()["image"].endswith("/large.webp")
    for size, pixels in (("large", 400), ("small", 96)):
        picture = Image.open(io.BytesIO(stored(answer, size)))
        assert (picture.format, picture.size) == ("WEBP", (pixels, pixels))
    assert events() == []


@both
@pytest.mark.parametrize("step", [(services, "_avatars"), (storage, "put")])
def test_an_upload_that_maintenance_has_overtaken_changes_nothing(
    api: Api,
    ann: User,
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
    route: str,
    step: tuple[Any, str],
) -> None:
    module, name = step
    work = getattr(module, name)

    def meanwhile(*args: Any) -> Any:
        begin("A new version comes.")
        return work(*args)

    monkeypatch.setattr(module, name, meanwhile)
    assert refusal(api(ann).upload(route, png("navy"))) == (503, "maintenance")
    assert shown(api, route) is None


def test_what_is_stored_may_be_kept_for_ever(api: Api, ann: User) -> None:
    url = api(ann).upload("/users/me/image", png("olive")).json()["image"]
    key = url.removeprefix(settings.MEDIA_URL)
    found = boto3.client("s3").head_object(Bucket=settings.MEDIA_BUCKET, Key=key)
    assert found["ContentType"] == "image/webp"
    assert found["CacheControl"] == "public, max-age=31536000, immutable"


def test_the_name_is_made_of_the_content(api: Api, ann: User, eve: User, page: Page) -> None:
    first = api(ann).upload("/users/me/image", png("teal"), name="../../ann.png").json()["image"]
    again = api(eve).upload("/users/me/image", png("teal"), name="eve.png").json()["image"]
    other = api(ann).upload("/pages/ann/image", png("plum")).json()["image"]
    assert first == again != other
    assert "ann" not in first


@both
def test_a_picture_can_be_taken_away_and_that_again(
    api: Api, ann: User, page: Page, route: str
) -> None:
    api(ann).upload(route, png("red"))
    for _ in range(2):
        assert api(ann).delete(route).status_code == 204
        assert shown(api, route) is None


def test_nobody_gives_another_ones_page_a_picture(
    api: Api, ann: User, eve: User, moderator: User, page: Page
) -> None:
    for stranger in (eve, moderator):
        with no_trace():
            # Before the file is looked at.
            assert refusal(api(stranger).upload("/pages/ann/image", b"")) == (403, "forbidden")


# What is no form with one file


@both
def test_without_one_file_there_is_nothing_to_take(
    api: Api, ann: User, page: Page, route: str
) -> None:
    with no_trace():
        assert bad_fields(api(ann).upload(route)) == ["image"]
        assert bad_fields(api(ann).upload(route, b"")) == ["image"]
        assert bad_fields(api(ann).upload(route, png(), png())) == ["image"]


@both
def test_a_picture_in_json_is_not_read(api: Api, ann: User, page: Page, route: str) -> None:
    with no_trace():
        answer = api(ann).put(route, {"image": "aGVsbG8="})
        assert refusal(answer) == (415, "unsupported_media_type")


def test_a_form_whose_charset_is_none_is_read_all_the_same(api: Api, ann: User) -> None:
    answer = api(ann).upload("/users/me/image", png(), charset="hex")
    assert answer.status_code == 200


def test_more_than_5_mb_are_too_much(api: Api, ann: User) -> None:
    space = services.MAX_BYTES - len(png())
    most, more = (png() + b"\0" * extra for extra in (space, space + 1))
    assert api(ann).upload("/users/me/image", most).status_code == 200
    with no_trace():
        answer = api(ann).upload("/users/me/image", more)
        assert bad_fields(answer) == ["image"]
        assert answer.json()["errors"][0]["code"] == "too_large"


def test_a_body_that_is_far_too_large_is_not_read(api: Api, ann: User) -> None:
    with no_trace():
        answer = api(ann).upload("/users/me/image", b"\0" * settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
        assert refusal(answer) == (413, "too_large")


# When S3 is away


def send_s3_away(patch: pytest.MonkeyPatch) -> None:
    """Nobody answers where it should be."""
    patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    patch.setattr(storage, "_client", storage._client.__wrapped__)


@both
def test_with_s3_down_the_profile_stays_and_the_caller_may_come_again(
    api: Api, ann: User, page: Page, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    before = api(ann).upload(route, png("gold")).json()
    with monkeypatch.context() as patch:
        send_s3_away(patch)
        answer = api(ann).upload(route, png("silver"))
        assert refusal(answer) == (503, "storage_unavailable")
        assert int(answer["Retry-After"]) > 0
        assert shown(api, route) == before["image"]
    assert api(ann).upload(route, png("silver")).status_code == 200


@both
def test_taking_a_picture_away_needs_no_s3(
    api: Api, ann: User, page: Page, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    send_s3_away(monkeypatch)
    assert api(ann).delete(route).status_code == 204
