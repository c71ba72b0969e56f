"""The second step of a login on the site, and the page where it is set up, without scripts."""

import json
import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django import forms
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from innotter.accounts import second_factor
from innotter.accounts.models import Challenge, Session, Totp, User
from innotter.accounts.tests.authenticator import Authenticator
from innotter.accounts.tests.test_second_factor import PROOF, with_passkey, with_totp, wrong_code
from innotter.conftest import PASSWORD, refusal, signed_in
from innotter.web import forms as web_forms

PAGE = "/settings/security"
HTML = {"Accept": "text/html"}


def login(browser: Client, path: str = "/login") -> Any:
    return browser.post(path, {"login": "ann", "password": PASSWORD, "next": "/likes"})


def is_in(browser: Client) -> bool:
    return browser.get("/settings").status_code == 200


def codes_on(answer: Any) -> list[str]:
    return re.findall(r"<li><code>([0-9a-z-]+)</code>", answer.content.decode())


def test_an_app_is_set_up_with_a_picture_that_needs_no_script(ann: User) -> None:
    browser = signed_in(ann)
    browser.post(PAGE, {"part": "set_up"})
    page = browser.get(PAGE).content.decode()
    assert '<svg viewBox="' in page
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert found
    app = pyotp.TOTP(found[1].replace(" ", ""))
    refused = browser.post(PAGE, {"part": "turn_on", "code": wrong_code(app)})
    assert "Wrong code" in refused.content.decode()
    cookie = browser.cookies[django_settings.SITE_SESSION_COOKIE].value
    done = browser.post(PAGE, {"part": "turn_on", "code": app.now()})
    assert len(codes_on(done)) == 10
    assert done["Cache-Control"] == "private, no-store"
    # A change of what one has to show is a change of rights.
    assert browser.cookies[django_settings.SITE_SESSION_COOKIE].value != cookie
    page = browser.get(PAGE).content.decode()
    assert found[1] not in page
    assert codes_on(browser.get(PAGE)) == []
    assert browser.post(PAGE, {"part": "turn_off"}).status_code == 303
    assert not Totp.objects.exists()


def test_the_second_step_keeps_the_way_on_and_takes_codes(ann: User) -> None:
    app, codes = with_totp(ann)
    browser = Client()
    answer = login(browser)
    assert answer["Location"] == "/login/second-factor?next=%2Flikes"
    assert not is_in(browser)
    wrong = browser.post(answer["Location"], {"code": wrong_code(app)})
    assert "Wrong code" in wrong.content.decode()
    done = browser.post(answer["Location"], {"code": app.now()})
    assert done["Location"] == "/likes"
    assert is_in(browser)

    other = Client()
    where = login(other)["Location"]
    assert "Recovery code" in other.get(f"{where}&with=recovery_code").content.decode()
    other.post(f"{where}&with=recovery_code", {"code": codes[0]})
    assert is_in(other)


def test_a_second_step_that_is_over_begins_again(ann: User) -> None:
    app, _ = with_totp(ann)
    browser = Client()
    where = login(browser)["Location"]
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for answer in (browser.get(where), browser.post(where, {"code": app.now()})):
        assert answer["Location"] == "/login?next=%2Flikes"
    assert not is_in(browser)


def test_the_panel_is_behind_the_second_step_too(admin: User) -> None:
    with_totp(admin)
    browser = Client()
    where = browser.get("/admin/", follow=True).request["PATH_INFO"]
    browser.post(where, {"login": "admin", "password": PASSWORD, "next": "/admin/"})
    assert browser.get("/admin/").status_code == 302


def test_a_factor_is_as_good_as_the_password_where_it_is_asked_again(ann: User) -> None:
    browser = signed_in(ann)
    app, _ = with_totp(ann)
    browser = signed_in_by_code(app)
    old = timezone.now() - second_factor.RECENT
    Session.objects.update(authenticated_at=old)
    stale = browser.post(PAGE, {"part": "turn_off"})
    assert stale["Location"] == f"/login/again?next={PAGE}"
    assert "Turn off" not in browser.get(PAGE).content.decode()
    Totp.objects.update(last_step=0)
    refused = browser.post("/login/again", {"code": wrong_code(app), "next": PAGE})
    assert "Wrong code" in refused.content.decode()
    done = browser.post("/login/again", {"code": app.now(), "next": PAGE})
    assert done["Location"] == PAGE
    assert browser.post(PAGE, {"part": "turn_off"})["Location"] == PAGE
    assert not Totp.objects.exists()


def signed_in_by_code(app: pyotp.TOTP) -> Client:
    browser = Client()
    browser.post(login(browser)["Location"], {"code": app.now()})
    assert is_in(browser)
    return browser


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8001"])
def test_pages_of_passkeys_are_at_the_host_that_passkeys_know(ann: User, host: str) -> None:
    browser = Client(headers={"host": host})
    answer = browser.get("/login?next=/likes")
    assert answer["Location"] == "http://localhost:8000/login?next=/likes"
    assert Client(headers={"host": "localhost"}).get("/login").status_code == 200


def test_a_passkey_opens_the_site_alone_by_a_form_with_its_csrf_token(ann: User) -> None:
    device, _ = with_passkey(ann)
    assert Client(enforce_csrf_checks=True).post("/login/passkey/options").status_code == 403
    browser = Client()
    options = browser.post("/login/passkey/options").json()
    sent = {"credential": json.dumps(device.get(options)), "next": "/likes"}
    assert browser.post("/login/passkey", sent)["Location"] == "/likes"
    assert is_in(browser)
    assert not is_in(Client())
    again = Client().post("/login/passkey", sent)
    assert again["Location"] == "/login?next=%2Flikes"


def test_a_passkey_is_added_on_the_page(ann: User) -> None:
    browser, device = signed_in(ann), Authenticator()
    options = browser.post(f"{PAGE}/passkey/options").json()
    form = {"part": "add_passkey", "name": "My phone", "credential": "{}"}
    assert "could not be added" in browser.post(PAGE, form).content.decode()
    form["credential"] = json.dumps(device.create(options))
    assert len(codes_on(browser.post(PAGE, form))) == 10
    page = browser.get(PAGE).content.decode()
    assert "My phone" in page


def test_who_moderates_without_a_factor_is_led_to_set_one_up(admin: User, settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = "moderators"
    browser = signed_in(admin)
    for path in ("/moderation", "/admin/", "/u/admin/role"):
        answer = browser.get(path, headers=HTML, follow=True)
        assert answer.status_code == 403, path
        assert f'href="{PAGE}"' in answer.content.decode()
    assert "needs a second factor" in browser.get(PAGE).content.decode()
    assert refusal(browser.get("/moderation")) == (403, "second_factor_required")
    second_factor.set_up_totp(actor=admin, proof=PROOF)
    assert browser.get("/moderation").status_code == 403
    Totp.objects.all().delete()
    app, _ = with_totp(admin)
    browser = Client()
    step = browser.post("/login", {"login": "admin", "password": PASSWORD})["Location"]
    browser.post(step, {"code": app.now()})
    assert browser.get("/moderation").status_code == 200
    assert browser.get("/admin/").status_code == 200


def test_sessions_are_ended_where_the_second_factor_is_set_up(ann: User) -> None:
    signed_in(ann)
    browser = signed_in(ann)
    assert "End all others" in browser.get(PAGE).content.decode()
    here = {"Referer": f"http://testserver{PAGE}"}
    answer = browser.post("/settings", {"part": "other_sessions"}, headers=here)
    assert answer["Location"] == f"{PAGE}#sessions"
    assert "End all others" not in browser.get(PAGE).content.decode()


def test_each_password_is_masked_and_left_to_password_managers() -> None:
    """ASVS 5.0, 6.2.6 and 6.2.7; and none is changed by the form that takes it (6.2.8)."""
    kinds = [kind for kind in vars(web_forms).values() if isinstance(kind, type)]
    fields = [
        field
        for kind in kinds
        if issubclass(kind, forms.Form)
        for name, field in kind.base_fields.items()
        if "password" in name
    ]
    assert len(fields) >= 5
    for field in fields:
        assert isinstance(field, forms.CharField)
        assert isinstance(field.widget, forms.PasswordInput)
        assert field.widget.attrs["autocomplete"] in ("current-password", "new-password")
        assert not field.strip
