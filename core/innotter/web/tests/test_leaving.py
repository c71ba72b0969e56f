"""Taking one's data along, leaving and coming back, with JavaScript off."""

from datetime import UTC, datetime

from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import PASSWORD, new_page, no_trace, signed_in
from innotter.exports import making
from innotter.exports.models import Export
from innotter.exports.storage import key_of

PAGE = "/settings/account"


def test_one_takes_ones_data_along_by_a_form(ann: User, eve: User) -> None:
    browser = signed_in(ann)
    assert browser.get(f"{PAGE}/export").status_code == 404
    with no_trace():
        answer = browser.post(PAGE, {"part": "export", "current_password": "a guess"})
        assert "Wrong password." in answer.content.decode()
    browser.post(PAGE, {"part": "export", "current_password": PASSWORD})
    assert "<progress" in browser.get(PAGE).content.decode()
    making.make_exports()
    assert "Download" in browser.get(PAGE).content.decode()
    answer = browser.get(f"{PAGE}/export")
    assert answer.status_code == 303
    assert key_of(ann.pk) in answer["Location"]
    assert "X-Amz-Expires=300" in answer["Location"]
    assert answer["Cache-Control"] == "private, no-store"
    assert signed_in(eve).get(f"{PAGE}/export").status_code == 404
    assert Client().get(f"{PAGE}/export")["Location"].startswith("/login?")


def test_the_last_moment_is_told_by_ones_own_clocks(ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(
        time_zone="Asia/Tokyo", deletes_at=datetime(2030, 3, 1, 20, 30, tzinfo=UTC)
    )
    expires_at = datetime(2030, 3, 5, 18, 15, tzinfo=UTC)
    Export.objects.create(user=ann, state="ready", expires_at=expires_at)
    page = signed_in(ann).get(PAGE).content.decode()
    assert "March 2, 2030, 5:30 a.m. JST" in page
    assert "March 6, 2030, 3:15 a.m. JST" in page
    assert "UTC" not in page


def test_one_leaves_by_a_form_and_comes_back_by_another(ann: User) -> None:
    new_page(ann, uuid="anns")
    browser = signed_in(ann)
    assert "Delete my account" in browser.get(PAGE).content.decode()
    browser.post(PAGE, {"part": "leave", "current_password": PASSWORD})
    assert Client().get("/@anns").status_code == 404
    page = browser.get(PAGE).content.decode()
    assert "Restore my account" in page
    assert "Delete my account" not in page
    assert "Export my data" in page
    # Still in: the form of the page can be sent, and the archive asked for.
    browser.post(PAGE, {"part": "export", "current_password": PASSWORD})
    assert Export.objects.get(user=ann).state == "running"
    again = signed_in(User.objects.get(pk=ann.pk))
    assert again.get("/")["Location"] == PAGE
    assert again.post(PAGE, {"part": "restore"}).status_code == 303
    assert Client().get("/@anns").status_code == 200
    assert browser.get("/").status_code == 200
