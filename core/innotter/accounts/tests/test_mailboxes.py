"""A mailbox is an account's once its reader has said so, and nobody gains by being quicker."""

import re
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from innotter.accounts.logins import log_in
from innotter.accounts.mailboxes import confirm_email, undo_email
from innotter.accounts.models import AccountMail, FormerMailbox, MailToken, Session, User
from innotter.accounts.passwords import WrongCredentials
from innotter.accounts.policies import EmailUnconfirmed, require_confirmed
from innotter.common.errors import DomainError
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    Log,
    all_rows,
    at_once,
    new_page,
    new_user,
    no_trace,
    refusal,
    signed_in,
)
from innotter.mail.models import Suppression
from innotter.mail.sending import send_due
from innotter.mail.suppressions import suppress
from innotter.mail.tasks import notify_followers
from innotter.mail.tests.conftest import Ses, ses
from innotter.moderation.services import confirm_email as confirm_for
from innotter.posts.models import Post

__all__ = ["ses"]  # a fixture

DORA = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}


def link(ses: Ses, address: str, path: str) -> str:
    """The token of the newest link of that path in the mails to the address."""
    send_due()
    texts = [message.text for message in ses.messages if message.to == address]
    found = re.findall(rf"/{path}/([\w-]+)", "\n".join(texts))
    assert found, texts
    return str(found[-1])


def dora() -> User:
    return User.objects.get(username="dora")


def register(api: Api, **fields: str) -> User:
    body = {**DORA, **fields}
    assert api().post("/auth/register", body).status_code == 201
    return User.objects.get(username=body["username"])


def change(api: Api, user: User, email: str) -> None:
    body = {"email": email, "current_password": PASSWORD}
    assert api(user).patch("/users/me", body).status_code == 202


def confirm(api: Api, token: str) -> int:
    return int(api().post("/auth/email/confirm", {"token": token}).status_code)


def log_in_as(login: str) -> None:
    log_in(login=login, password=PASSWORD, client=CLIENT)


# Confirmed, by who reads it


def test_a_newcomers_address_is_a_claim_until_the_link_in_the_mail_is_used(
    ses: Ses, api: Api
) -> None:
    user = register(api)
    me = api(user).get("/users/me").json()
    expected = (None, False, "dora@example.com")
    assert (me["email"], me["email_confirmed"], me["pending_email"]) == expected
    token = link(ses, "dora@example.com", "confirm")
    assert confirm(api, token) == 204
    me = api(user).get("/users/me").json()
    assert (me["email"], me["email_confirmed"], me["pending_email"]) == (DORA["email"], True, None)
    answer = api().post("/auth/email/confirm", {"token": token})
    assert answer.json()["errors"][0]["code"] == "invalid_link"


def test_opening_the_link_changes_nothing_and_its_button_confirms(ses: Ses, api: Api) -> None:
    register(api)
    path = f"/confirm/{link(ses, 'dora@example.com', 'confirm')}"
    browser = Client()
    with no_trace():
        page = browser.get(path)
        assert browser.head(path).status_code == 200
    assert "Confirm</button>" in page.content.decode()
    assert page["Referrer-Policy"] == "strict-origin"
    assert page["Cache-Control"] == "private, no-store"
    assert browser.post(path).status_code == 303
    assert dora().email == "dora@example.com"
    again = browser.post(path, headers={"Accept": "text/html"})
    assert (again.status_code, again["Referrer-Policy"]) == (404, "strict-origin")
    assert "no longer works" in again.content.decode()


def test_no_log_line_holds_the_token(ses: Ses, api: Api, log: Log) -> None:
    register(api)
    token = link(ses, "dora@example.com", "confirm")
    Client().get(f"/confirm/{token}")
    Client().get(f"/confirm/{token}.")
    Client().post(f"/confirm/{token}")
    confirm(api, token)
    assert len(log()) >= 5
    assert token not in str(log())


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_with_one_link_one_wins(ses: Ses, api: Api) -> None:
    register(api)
    token = link(ses, "dora@example.com", "confirm")

    def one() -> str:
        try:
            confirm_email(token=token, client=CLIENT)
        except DomainError as error:
            return error.code
        return "confirmed"

    assert sorted(at_once(*[one] * 20)) == ["confirmed", *["invalid_link"] * 19]
    assert MailToken.objects.filter(spent_at=None).count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_lost_in_the_middle_leaves_the_link_good(ses: Ses, api: Api) -> None:
    register(api)
    token = link(ses, "dora@example.com", "confirm")
    with connection.cursor() as cursor:
        cursor.execute(LOST_WHILE_COMMITTING)
    before = all_rows()
    try:
        with pytest.raises(OperationalError):
            confirm_email(token=token, client=CLIENT)
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER lose ON accounts_mailtoken; DROP FUNCTION lose()")
    assert all_rows() == before
    confirm_email(token=token, client=CLIENT)
    assert dora().email == "dora@example.com"


LOST_WHILE_COMMITTING = """
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER lose AFTER UPDATE ON accounts_mailtoken
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose();
"""


def test_a_token_is_no_longer_good_once_another_address_is_claimed(ses: Ses, api: Api) -> None:
    user = register(api)
    token = link(ses, "dora@example.com", "confirm")
    change(api, user, "other@example.com")
    assert confirm(api, token) == 400
    assert confirm(api, link(ses, "other@example.com", "confirm")) == 204


def test_where_nobody_has_to_confirm_the_address_is_theirs_at_once(
    ses: Ses, api: Api, settings: LazySettings
) -> None:
    settings.EMAIL_CONFIRMATION = "off"
    user = register(api)
    assert user.email == "dora@example.com"
    change(api, user, "other@example.com")
    assert dora().email == "other@example.com"
    assert not AccountMail.objects.filter(kind="confirm").exists()


def test_the_operator_may_want_a_mailbox_before_anything_is_written(
    api: Api, settings: LazySettings
) -> None:
    user = register(api)
    assert api(user).post("/pages", {"name": "A page"}).status_code == 201
    settings.UNCONFIRMED_MAY_WRITE = False
    with no_trace():
        answer = api(user).post("/pages", {"name": "Another page"})
    assert refusal(answer) == (403, "email_unconfirmed")
    assert api(user).patch("/users/me", {"title": "Dora the First"}).status_code == 200
    assert api(user).post("/users/me/email/resend").status_code == 202


def test_mail_that_was_stopped_is_sent_again_once_the_address_is_confirmed_anew(
    ses: Ses, api: Api, bob: User
) -> None:
    suppress(
        "bob@example.com",
        reason=Suppression.Reason.BOUNCE,
        detail="",
        happened_at=timezone.now(),
    )
    api(bob).post("/users/me/email/resend")
    assert confirm(api, link(ses, "bob@example.com", "confirm")) == 204
    assert not Suppression.objects.filter(lifted_at=None).exists()


# Who is quicker gains nothing


def test_who_registers_my_mailbox_first_gains_nothing(ses: Ses, api: Api) -> None:
    """Eve names Dora's mailbox, keeps a session, and waits for Dora."""
    eve = register(api, username="eve-was-here")
    eves = log_in(login="eve-was-here", password=PASSWORD, client=CLIENT)
    eves_link = link(ses, "dora@example.com", "confirm")
    # Nothing for later can be put into the account.
    with pytest.raises(EmailUnconfirmed):
        require_confirmed(eve)
    # Nor is she mailed a link to a password, nor is anything else mailed there.
    api().post("/auth/password-reset", {"email": "dora@example.com"})
    count = len(ses.messages)
    assert send_due() == 0
    assert len(ses.messages) == count

    # Dora comes, as if there were no Eve.
    register(api)
    assert confirm(api, link(ses, "dora@example.com", "confirm")) == 204
    log_in_as("dora@example.com")
    assert Session.objects.filter(user=dora()).exists()

    # Eve's claim is over, and so is the link that Dora has not used.
    eve.refresh_from_db()
    assert (eve.email, eve.pending_email) == (None, "")
    assert confirm(api, eves_link) == 400
    change(api, eve, "dora@example.com")
    send_due()
    assert ses.messages[-1].subject == "Your e-mail address was given for another account"
    assert "/confirm/" not in ses.messages[-1].text
    # A new password goes to Dora's account alone.
    api().post("/auth/password-reset", {"email": "dora@example.com"})
    token = link(ses, "dora@example.com", "password/reset")
    body = {"token": token, "password": "another quiet harbour 7"}
    assert api().post("/auth/password-reset/confirm", body).status_code == 204
    assert api().post("/auth/refresh", {"refresh": eves.refresh}).status_code == 200
    with pytest.raises(WrongCredentials):
        log_in(login="dora@example.com", password=PASSWORD, client=CLIENT)


def test_an_account_that_i_confirm_by_mistake_is_mine_by_a_reset(ses: Ses, api: Api) -> None:
    """Eve has registered it with Dora's mailbox and holds a session and the password."""
    register(api, username="eve-was-here")
    eves = log_in(login="eve-was-here", password=PASSWORD, client=CLIENT)
    assert confirm(api, link(ses, "dora@example.com", "confirm")) == 204
    api().post("/auth/password-reset", {"email": "dora@example.com"})
    token = link(ses, "dora@example.com", "password/reset")
    body = {"token": token, "password": "another quiet harbour 7"}
    assert api().post("/auth/password-reset/confirm", body).status_code == 204
    assert api().post("/auth/refresh", {"refresh": eves.refresh}).status_code == 401
    with pytest.raises(WrongCredentials):
        log_in_as("eve-was-here")


def test_the_first_claimant_is_found_by_the_address_until_somebody_confirms_it(
    ses: Ses, api: Api
) -> None:
    first = register(api, username="first")
    register(api, username="second", password="another quiet harbour 7")
    log_in_as("dora@example.com")
    assert Session.objects.get().user == first
    ses.messages.clear()
    send_due()
    mine = next(m for m in ses.messages if "second" in m.text)
    [token] = re.findall(r"/confirm/([\w-]+)", mine.text)
    confirm(api, token)
    with pytest.raises(WrongCredentials):
        log_in_as("dora@example.com")
    log_in(login="dora@example.com", password="another quiet harbour 7", client=CLIENT)


# Changed, and taken back


def test_a_change_is_answered_alike_whether_somebody_has_the_address_or_not(
    ses: Ses, api: Api, ann: User, bob: User
) -> None:
    answers = [
        api(ann).patch("/users/me", {"email": email, "current_password": PASSWORD})
        for email in ("bob@example.com", "free@example.com")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [a.json()["email"] for a in answers] == ["ann@example.com"] * 2
    assert api(ann).patch("/users/me", {"email": "a@b.org"}).status_code == 400


def test_the_former_mailbox_can_take_a_change_back_and_the_thief_is_out(
    ses: Ses, api: Api, bob: User
) -> None:
    """A thief has the password: changes the address twice, takes one of the changes back, and sets
    a new password; and yet the first mailbox has the last word."""
    thief = log_in(login="bob", password=PASSWORD, client=CLIENT)
    change(api, bob, "thief@example.com")
    confirm(api, link(ses, "thief@example.com", "confirm"))
    mine = link(ses, "bob@example.com", "undo")
    change(api, bob, "thief2@example.com")
    confirm(api, link(ses, "thief2@example.com", "confirm"))
    assert api().post("/auth/email/undo", {"token": link(ses, "thief@example.com", "undo")})
    api().post("/auth/password-reset", {"email": "thief@example.com"})
    body = {
        "token": link(ses, "thief@example.com", "password/reset"),
        "password": "a thief was here 7",
    }
    assert api().post("/auth/password-reset/confirm", body).status_code == 204
    assert api().post("/auth/refresh", {"refresh": thief.refresh}).status_code == 401

    # Nobody else can have the mailbox meanwhile.
    answer = api().post("/auth/register", {**DORA, "email": "bob@example.com"})
    assert refusal(answer) == (409, "email_taken")
    with no_trace():
        assert Client().get(f"/undo/{mine}").status_code == 200
    Client().post(f"/undo/{mine}")
    bob.refresh_from_db()
    assert bob.email == "bob@example.com"
    assert not Session.objects.filter(user=bob, ended_at=None).exists()
    for password in (PASSWORD, "a thief was here 7"):
        with pytest.raises(WrongCredentials):
            log_in(login="bob", password=password, client=CLIENT)
    body = {"token": link(ses, "bob@example.com", "password/reset"), "password": "mine again, 7 x"}
    assert api().post("/auth/password-reset/confirm", body).status_code == 204
    log_in(login="bob", password="mine again, 7 x", client=CLIENT)
    # And the thief's links are none any more.
    assert not FormerMailbox.objects.filter(user=bob).exists()


def test_after_a_week_the_former_mailbox_is_anybodys(ses: Ses, api: Api, bob: User) -> None:
    change(api, bob, "new@example.com")
    confirm(api, link(ses, "new@example.com", "confirm"))
    token = link(ses, "bob@example.com", "undo")
    a_week_ago = timezone.now() - timedelta(days=7)
    FormerMailbox.objects.update(reserved_until=a_week_ago)
    MailToken.objects.update(expires_at=a_week_ago)
    register(api, email="bob@example.com")
    assert confirm(api, link(ses, "bob@example.com", "confirm")) == 204
    with pytest.raises(DomainError):
        undo_email(token=token, client=CLIENT)


# By an admin


def test_an_admin_confirms_for_somebody(ses: Ses, api: Api, admin: User) -> None:
    register(api)
    confirm_for(actor=admin, user="dora")
    assert dora().email == "dora@example.com"
    other = register(api, username="zoe", email="zoe@example.com")
    User.objects.filter(pk=other.pk).update(pending_email="dora@example.com")
    with no_trace():
        answer = api(admin).post("/users/zoe/confirm-email")
    assert refusal(answer) == (409, "email_taken")


# On the site


def test_the_settings_show_the_claim_and_send_the_mail_again(ses: Ses, api: Api) -> None:
    browser = signed_in(register(api))
    page = browser.get("/settings").content.decode()
    assert "dora@example.com" in page
    answer = browser.post("/settings", {"part": "resend"})
    assert answer["Location"] == "/settings#email"
    send_due()
    assert ses.mailed == ["dora@example.com"] * 2


def test_no_mailbox_is_flooded(ses: Ses, api: Api, settings: LazySettings) -> None:
    settings.LIMITS = {**settings.LIMITS, "confirmations_to_mailbox": (2, 3600)}
    user = register(api)
    register(api, username="zoe")
    # The account is there, but no mail.
    register(api, username="zara")
    send_due()
    assert len(ses.mailed) == 2
    answer = api(user).post("/users/me/email/resend")
    assert refusal(answer) == (429, "throttled")


def test_who_has_confirmed_nothing_gets_no_mail_about_pages(ses: Ses, api: Api, ann: User) -> None:
    page = new_page(ann, uuid="ann")
    follower = register(api)
    api(follower).post("/pages/ann/follow")
    api(ann).post("/pages/ann/posts", {"content": "Hello"})
    notify_followers(post_id=str(Post.objects.get(page=page).id))
    send_due()
    assert [m.subject for m in ses.messages] == ["Confirm your e-mail address"]


def test_the_cast_has_confirmed_its_mailboxes(db: None) -> None:
    assert new_user("ann").email == "ann@example.com"
