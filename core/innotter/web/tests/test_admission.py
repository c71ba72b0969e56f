"""The ways to an account on the site, in each mode."""

import re
from typing import Any

from django.test import Client

from innotter.accounts.models import Invitation, Registration, User
from innotter.conftest import PASSWORD, signed_in
from innotter.mail.sending import send_due
from innotter.mail.tests.conftest import Ses, ses

__all__ = ["ses"]  # a fixture

FORM = {"username": "zoe", "email": "zoe@example.com", "password": PASSWORD}


def link_in(ses: Ses) -> str:
    send_due()
    return str(re.findall(r"(/confirm/[\w-]+)", ses.messages[-1].text)[0])


def test_by_invitation(moderator: User, settings: Any) -> None:
    settings.REGISTRATION = "invitation"
    host, guest = signed_in(moderator), Client()
    assert "By invitation" in guest.get("/register").text
    assert "By invitation" in guest.post("/register", FORM).text
    host.post("/moderation/invites", {"uses": "1", "days": "7"})
    code = Invitation.objects.get().code
    assert f"/register?invite={code}" in host.get("/moderation?show=invites").text
    page = guest.get(f"/register?invite={code}").text
    assert f'name="invite" value="{code}"' in page
    assert guest.post("/register", {**FORM, "invite": code}).status_code == 303
    assert User.objects.get(username="zoe")
    assert "1 of 1 used" in host.get("/moderation?show=invites").text
    answer = Client().post("/register", {**FORM, "username": "dora", "invite": code})
    assert "This invitation is used up or has expired." in answer.text
    host.post(f"/moderation/invites/{code}/withdraw")
    assert not Invitation.objects.exists()


def test_by_approval(moderator: User, ses: Ses, settings: Any) -> None:
    settings.REGISTRATION = "approval"
    guest, host = Client(), signed_in(moderator)
    assert "Check your mail" in guest.post("/register", FORM).text
    link = link_in(ses)
    assert "zoe@example.com" in guest.get(link).text
    assert Registration.objects.get().confirmed_at is None
    assert "Your address is confirmed" in guest.post(link).text
    assert "zoe" in host.get("/moderation?show=registrations").text
    path = f"/moderation/registrations/{Registration.objects.get().id}"
    host.post(path, {"answer": "approve", "reason": ""})
    assert User.objects.get(username="zoe").email == "zoe@example.com"
    assert "let in" in host.get("/moderation").text


def test_before_the_account(ses: Ses, settings: Any, db: None) -> None:
    settings.EMAIL_CONFIRMATION = "before_account"
    guest = Client()
    page = guest.post("/register", {**FORM, "time_zone": "Europe/Riga"})
    assert "zoe@example.com" in page.text
    assert "The account is yours" in guest.post(link_in(ses)).text
    assert User.objects.get().time_zone == "Europe/Riga"
    login = {"login": "zoe", "password": PASSWORD}
    assert guest.post("/login", login).status_code == 303


def test_a_browser_s_strange_zone_keeps_nobody_out(db: None) -> None:
    assert Client().post("/register", {**FORM, "time_zone": "Mars/Olympus"}).status_code == 303
    assert User.objects.get().time_zone == "UTC"
