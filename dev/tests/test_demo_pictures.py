"""The pictures of the demo data: everybody has one, of their own and always the same."""

import pytest

from dev.demo.pictures import drawn, give_pictures
from innotter.accounts.services import register
from innotter.media import storage
from innotter.pages.services import create_page


@pytest.mark.usefixtures("aws")
def test_people_and_pages_get_pictures_of_their_own(db: None) -> None:
    user = register(username="ann", email="ann@example.com", password="fog over 9 hills")
    page = create_page(actor=user, name="The harbour", uuid="harbour")
    assert give_pictures() == "a picture each"
    user.refresh_from_db()
    page.refresh_from_db()
    names = user.image_id, page.image_id
    assert None not in names
    assert len(set(names)) == 2
    assert give_pictures() == "a picture each"
    user.refresh_from_db()
    page.refresh_from_db()
    assert (user.image_id, page.image_id) == names


def test_without_storage_there_is_demo_data_all_the_same(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = register(username="ann", email="ann@example.com", password="fog over 9 hills")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(storage, "_client", storage._client.__wrapped__)
    assert "nowhere to store" in give_pictures()
    user.refresh_from_db()
    assert user.image_id is None


def test_a_pattern_is_the_same_on_both_sides() -> None:
    picture = drawn("ann")
    assert picture.getpixel((1, 1)) == picture.getpixel((picture.width - 2, 1))
    assert picture.tobytes() == drawn("ann").tobytes() != drawn("bob").tobytes()
