"""A picture is a URL in every response that contains its user or page."""

import pytest
from django.conf import settings
from django.test import override_settings

from innotter.accounts.models import User
from innotter.conftest import Api, make_follower, new_post, new_user
from innotter.media.models import Picture
from innotter.media.storage import image_url
from innotter.pages.models import Page

FACE, HARBOUR = "f" * 64, "a" * 64


@pytest.fixture
def pictured(ann: User, page: Page) -> None:
    """Ann and her page have a picture each."""
    for row, name in ((ann, FACE), (page, HARBOUR)):
        row.image = Picture.objects.create(name=name)
        row.save()


@pytest.mark.usefixtures("pictured")
def test_pictures_show_wherever_their_user_or_page_does(api: Api, ann: User, page: Page) -> None:
    face, harbour = image_url(FACE), image_url(HARBOUR)
    post = new_post(page)
    reader = new_user("reader")
    make_follower(reader, page)
    make_follower(ann, asking_page := Page.objects.create(owner=reader, name="Asked", uuid="asked"))
    caller = api(ann)

    assert caller.get("/users/me").json()["image"] == face
    assert api().get("/users/ann").json()["image"] == face
    assert caller.get("/search", q="ann", type="user").json()["results"][0]["user"]["image"] == face
    assert api().get(f"/pages/{asking_page.uuid}/followers").json()["results"][0]["image"] == face
    profile = api().get("/pages/ann").json()
    assert (profile["image"], profile["owner"]["image"]) == (harbour, face)
    assert api().get(f"/posts/{post.id}").json()["page"]["image"] == harbour
    assert api(reader).get("/feed").json()["results"][0]["page"]["image"] == harbour


def test_without_a_picture_there_is_none(api: Api, page: Page) -> None:
    profile = api().get("/pages/ann").json()
    assert profile["image"] is None
    assert profile["owner"]["image"] is None


def test_a_url_is_below_the_public_one_and_names_the_size() -> None:
    with override_settings(MEDIA_URL="https://media.example.com/"):
        assert image_url(FACE) == f"https://media.example.com/{FACE}/large.webp"
        assert image_url(FACE, "small") == f"https://media.example.com/{FACE}/small.webp"
    assert settings.MEDIA_URL.endswith(f"/{settings.MEDIA_BUCKET}/")
