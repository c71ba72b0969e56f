"""A forgotten password is replaced by who reads the confirmed mailbox, and by nobody else."""

import re
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from innotter.accounts.logins import log_in
from innotter.accounts.mail_tokens import mint_mail_token
from innotter.accounts.models import AccountMail, MailToken, Session, User
from innotter.accounts.recovery import reset_password
from innotter.common.errors import DomainError
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
)
from innotter.mail.sending import send_due
from innotter.mail.tests.conftest import Ses, ses
from innotter.moderation.models import ModerationAction

__all__ = ["ses"]  # a fixture

NEW = "another quiet harbour 7"
Purpose = MailToken.Purpose


def ask(api: Api, email: str = "bob@example.com") -> None:
    answer = api().post("/auth/password-reset", {"email": email})
    assert (answer.status_code, answer.content) == (202, b"")


def tokens(ses: Ses) -> list[str]:
    send_due()
    return [
        token for m in ses.messages for token in re.findall(r"/password/reset/([\w-]+)\n", m.text)
    ]


def use(api: Api, token: str, password: str = NEW) -> int:
    body = {"token": token, "password": password}
    return int(api().post("/auth/password-reset/confirm", body).status_code)


def test_a_link_sets_a_password_once_and_ends_everything_else(
    ses: Ses, api: Api, bob: User
) -> None:
    pair = log_in(login="bob", password=PASSWORD, client=CLIENT)
    User.objects.filter(pk=bob.pk).update(pending_email="thief@example.com")
    other = mint_mail_token(bob, Purpose.CONFIRM, "thief@example.com")
    ask(api)
    ask(api)
    one, two = tokens(ses)
    assert use(api, one) == 204
    assert use(api, one) == use(api, two) == 400
    assert api().post("/auth/email/confirm", {"token": other}).status_code == 400
    assert api().post("/auth/refresh", {"refresh": pair.refresh}).status_code == 401
    assert not Session.objects.filter(user=bob, ended_at=None).exists()
    bob.refresh_from_db()
    assert bob.pending_email == ""
    log_in(login="bob", password=NEW, client=CLIENT)
    send_due()
    assert ses.messages[-1].subject == "Your password was changed"


def test_in_a_browser_by_two_forms(ses: Ses, bob: User) -> None:
    browser = Client(headers={"Accept": "text/html"})
    assert browser.post("/password/reset", {"email": "Bob@Example.com"})["Location"] == "/login"
    [token] = tokens(ses)
    path = f"/password/reset/{token}"
    with no_trace():
        page = browser.get(path)
    assert "New password" in page.content.decode()
    assert (page["Referrer-Policy"], page["Cache-Control"]) == (
        "strict-origin",
        "private, no-store",
    )
    weak = browser.post(path, {"password": "12345678"})
    assert weak.status_code == 200
    assert "too common" in weak.content.decode()
    assert browser.post(path, {"password": NEW})["Location"] == "/login"
    assert browser.get(path).status_code == 404
    log_in(login="bob", password=NEW, client=CLIENT)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_with_one_link_one_wins(bob: User) -> None:
    token = mint_mail_token(bob, Purpose.RESET, "bob@example.com")

    def one(n: int) -> str:
        try:
            reset_password(token=token, password=f"another quiet harbour {n}", client=CLIENT)
        except DomainError as error:
            return error.code
        return "set"

    outcomes = at_once(*[lambda n=n: one(n) for n in range(20)])
    assert sorted(outcomes) == [*["invalid_link"] * 19, "set"]


def test_it_lasts_an_hour(api: Api, bob: User) -> None:
    token = mint_mail_token(bob, Purpose.RESET, "bob@example.com")
    left = MailToken.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    MailToken.objects.update(expires_at=timezone.now())
    with no_trace():
        assert use(api, token) == 400


def test_a_weak_password_does_not_spend_it(ses: Ses, api: Api, bob: User) -> None:
    ask(api)
    [token] = tokens(ses)
    with no_trace():
        body = {"token": token, "password": "bob@example.com"}
        assert bad_fields(api().post("/auth/password-reset/confirm", body)) == ["password"]
    assert use(api, token) == 204


def test_a_request_does_the_same_whether_the_address_is_known_or_not(api: Api, bob: User) -> None:
    before = AccountMail.objects.count()
    ask(api)
    ask(api, "nobody@example.com")
    rows = AccountMail.objects.order_by("id").values("user", "kind", "state", "language")[before:]
    assert rows[0] == rows[1]


def test_a_mailbox_is_not_flooded_and_its_owner_not_locked_out(
    ses: Ses, api: Api, bob: User
) -> None:
    """Three mails an hour: no matter who asked for them, their links are good."""
    for _ in range(6):
        ask(api)
    links = tokens(ses)
    assert len(links) == 3
    assert use(api, links[0]) == 204


def test_requests_and_guesses_are_counted_by_where_they_come_from(
    api: Api, bob: User, settings: LazySettings
) -> None:
    settings.LIMITS = {
        **settings.LIMITS,
        "resets_from_address": (2, 300),
        "wrong_links_from_address": (3, 300),
    }
    token = mint_mail_token(bob, Purpose.RESET, "bob@example.com")
    for n in range(2):
        ask(api, f"nobody{n}@example.com")
    answer = api().post("/auth/password-reset", {"email": "bob@example.com"})
    assert refusal(answer) == (429, "throttled")
    # What is good is no guess.
    for _ in range(5):
        assert Client().get(f"/password/reset/{token}").status_code == 200
    for _ in range(3):
        assert use(api, "guess") == 400
    assert use(api, "guess") == use(api, token) == 429


def test_a_blocked_account_gets_no_link_and_uses_none(ses: Ses, api: Api, bob: User) -> None:
    token = mint_mail_token(bob, Purpose.RESET, "bob@example.com")
    User.objects.filter(pk=bob.pk).update(is_blocked=True)
    ask(api)
    assert tokens(ses) == []
    assert use(api, token) == 403


def test_admins_and_the_operator_send_one(ses: Ses, api: Api, admin: User, bob: User) -> None:
    assert api(admin).post("/users/bob/password-reset").status_code == 202
    call_command("send_password_reset", "bob")
    assert len(tokens(ses)) == 2
    log = ModerationAction.objects.filter(action="reset_password").order_by("id")
    assert [row.actor for row in log] == [admin, None]
    User.objects.filter(pk=bob.pk).update(email=None)
    answer = api(admin).post("/users/bob/password-reset")
    assert refusal(answer) == (409, "no_confirmed_email")
    with pytest.raises(CommandError):
        call_command("send_password_reset", "nobody")


def test_the_operator_gives_an_account_a_mailbox_that_is_still_read(ses: Ses, admin: User) -> None:
    call_command("send_password_reset", "admin", "--email", "root@example.org")
    [token] = tokens(ses)
    assert "root@example.org" in ses.mailed
    reset_password(token=token, password=NEW, client=CLIENT)
    log_in(login="admin", password=NEW, client=CLIENT)
    assert new_user("bob").email == "bob@example.com"
