"""The ways to an account: open, by invitation, by moderators, closed; and confirmed beforehand."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from innotter.accounts.models import AccountMail, Invitation, Registration, User
from innotter.accounts.registrations import CONFIRMED_WITHIN, prune_registrations, sign_up
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
from innotter.moderation.admissions import create_invitation, withdraw_invitation

__all__ = ["ses"]  # a fixture


def register(api: Api, username: str = "zoe", **more: Any) -> Any:
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    return api().post("/auth/register", {**body, **more})


def token_in(ses: Ses) -> str:
    send_due()
    [token] = set(re.findall(r"/confirm/([\w-]+)", ses.messages[-1].text))
    return str(token)


def confirm(api: Api, token: str) -> Any:
    return api().post("/auth/email/confirm", {"token": token})


def invitation(moderator: User, uses: int = 1) -> Invitation:
    tomorrow = timezone.now() + timedelta(days=1)
    return create_invitation(actor=moderator, uses=uses, expires_at=tomorrow)


# An account is made by the confirmation


@pytest.fixture
def before_account(settings: Any) -> None:
    settings.EMAIL_CONFIRMATION = "before_account"


@pytest.mark.usefixtures("before_account")
def test_the_confirmation_makes_the_account(api: Api, ses: Ses) -> None:
    answer = register(api, "Zoe", title="Zoe of the docks", language="ru", time_zone="Asia/Almaty")
    assert (answer.status_code, answer.content) == (202, b"")
    assert not User.objects.exists()
    login = {"login": "zoe", "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 401
    token = token_in(ses)
    assert confirm(api, token).status_code == 204
    assert api().post("/auth/login", login).status_code == 200
    zoe = User.objects.get()
    assert (zoe.username, zoe.email, zoe.title) == ("Zoe", "zoe@example.com", "Zoe of the docks")
    assert (zoe.language, zoe.time_zone) == ("ru", "Asia/Almaty")
    with no_trace():
        assert bad_fields_or_code(confirm(api, token)) == "invalid_link"


def bad_fields_or_code(answer: Any) -> str:
    document = answer.json()
    return str(document["errors"][0]["code"] if document.get("errors") else document["code"])


@pytest.mark.usefixtures("before_account")
def test_nothing_tells_who_has_an_account(api: Api, ses: Ses, bob: User) -> None:
    """But the mailbox, to which the claim is told. Nor does the time, as the work is the same."""
    with CaptureQueriesContext(connection) as work_for_taken:
        taken = register(api, email="bob@example.com")
    with CaptureQueriesContext(connection) as work_for_free:
        free = register(api, "newcomer")
    assert len(work_for_taken) == len(work_for_free)
    assert (taken.status_code, taken.content) == (free.status_code, free.content) == (202, b"")
    for name in ("zoe", "newcomer"):
        assert refusal(register(api, name)) == (409, "username_taken")
    assert set(taken.headers) == set(free.headers)
    send_due()
    subjects = {message.to: message.subject for message in ses.messages}
    assert subjects == {
        "bob@example.com": "You have an account already",
        "newcomer@example.com": "Confirm your e-mail address",
    }
    assert "/confirm/" not in ses.messages[0].text or ses.messages[0].to != "bob@example.com"


@pytest.mark.usefixtures("before_account")
def test_who_confirms_first_has_the_mailbox_and_other_claims_end(api: Api, ses: Ses) -> None:
    register(api, "first", email="one@example.com")
    thief = token_in(ses)
    register(api, "second", email="one@example.com")
    assert confirm(api, token_in(ses)).status_code == 204
    assert User.objects.get().username == "second"
    assert bad_fields_or_code(confirm(api, thief)) == "invalid_link"
    assert not Registration.objects.exists()


@pytest.mark.usefixtures("before_account")
def test_a_claim_is_over_after_a_day(api: Api, ses: Ses) -> None:
    register(api)
    token = token_in(ses)
    Registration.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert bad_fields_or_code(confirm(api, token)) == "invalid_link"
    assert register(api).status_code == 202
    Registration.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert prune_registrations() == 1


@pytest.mark.usefixtures("before_account")
def test_a_forged_token_is_none(api: Api, ses: Ses) -> None:
    register(api)
    token = token_in(ses)
    for forged in (token[:-1], token[:-2] + "AA", token[:22], token + "A", "é", ""):
        assert confirm(api, forged).status_code == 400
    assert not User.objects.exists()


@pytest.mark.usefixtures("before_account")
def test_a_mailbox_is_not_flooded(api: Api, limits: Any) -> None:
    limits(confirmations_to_mailbox=(2, 3600))
    for n in range(4):
        assert register(api, f"zoe{n}", email="zoe@example.com").status_code == 202
    assert AccountMail.objects.count() == 2


@pytest.fixture
def limits(settings: Any) -> Any:
    def limit(**limits: tuple[int, int]) -> None:
        settings.LIMITS = {**settings.LIMITS, **limits}

    return limit


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("before_account")
def test_of_twenty_who_confirm_at_once_one_is_heard(api: Api, ses: Ses) -> None:
    register(api)
    token = token_in(ses)
    answers = at_once(*[lambda: confirm(api, token).status_code] * 20)
    assert sorted(answers) == [204] + [400] * 19
    assert User.objects.count() == 1


# By invitation


@pytest.fixture
def by_invitation(settings: Any) -> None:
    settings.REGISTRATION = "invitation"


@pytest.mark.usefixtures("by_invitation")
def test_an_invitation_lets_so_many_in(api: Api, moderator: User) -> None:
    code = invitation(moderator, uses=2).code
    with no_trace():
        assert refusal(register(api)) == (403, "invitation_needed")
        assert bad_fields(register(api, invite="none")) == ["invite"]
    assert register(api, "one", invite=code).status_code == 201
    # What is refused uses nothing up.
    assert refusal(register(api, "one", invite=code)) == (409, "username_taken")
    assert register(api, "two", invite=code).status_code == 201
    with no_trace():
        assert bad_fields(register(api, "three", invite=code)) == ["invite"]
    assert api(moderator).get(f"/invites/{code}").json()["used"] == 2


@pytest.mark.usefixtures("by_invitation", "before_account")
def test_a_use_is_given_back_where_nobody_confirms(api: Api, moderator: User, ses: Ses) -> None:
    code = invitation(moderator, uses=1).code
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=9))
    assert register(api, "one", invite=code).status_code == 202
    assert bad_fields(register(api, "two", invite=code)) == ["invite"]
    with time_machine.travel(timezone.now() + CONFIRMED_WITHIN + timedelta(minutes=1)):
        assert register(api, "two", invite=code).status_code == 202
        assert confirm(api, token_in(ses)).status_code == 204
        assert api(moderator).get(f"/invites/{code}").json()["used"] == 1
        assert bad_fields(register(api, "three", invite=code)) == ["invite"]
        # What is over is deleted, whichever is over first.
        prune_registrations()
        Invitation.objects.update(expires_at=timezone.now())
        prune_registrations()
    assert not Invitation.objects.exists()


@pytest.mark.usefixtures("by_invitation", "before_account")
def test_a_claim_outlives_its_invitation(api: Api, moderator: User, ses: Ses) -> None:
    assert register(api, "one", invite=invitation(moderator).code).status_code == 202
    Invitation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    prune_registrations()
    assert not Invitation.objects.exists()
    confirm(api, token_in(ses))
    assert User.objects.filter(username="one").exists()


@pytest.mark.usefixtures("by_invitation")
@pytest.mark.parametrize("end", ["expired", "withdrawn", "blocked", "leaving", "demoted"])
def test_one_that_is_over_lets_nobody_in(api: Api, moderator: User, end: str) -> None:
    code = invitation(moderator).code
    match end:
        case "expired":
            Invitation.objects.update(expires_at=timezone.now())
        case "withdrawn":
            withdraw_invitation(actor=moderator, code=code)
        case "blocked":
            User.objects.filter(pk=moderator.pk).update(is_blocked=True)
        case "leaving":
            User.objects.filter(pk=moderator.pk).update(deletes_at=timezone.now())
        case "demoted":
            User.objects.filter(pk=moderator.pk).update(role=User.Role.USER)
    with no_trace():
        assert bad_fields(register(api, invite=code)) == ["invite"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("by_invitation")
def test_of_twenty_who_want_the_last_use_one_gets_it() -> None:
    code = invitation(new_user("moderator", role=User.Role.MODERATOR)).code

    def outcome(n: int) -> str:
        try:
            sign_up(
                client=CLIENT,
                username=f"user{n}",
                email=f"user{n}@example.com",
                password=PASSWORD,
                invite=code,
            )
            return "in"
        except DomainError as error:
            return error.code

    outcomes = at_once(*[lambda n=n: outcome(n) for n in range(20)])
    assert sorted(outcomes) == ["in"] + ["invalid_invitation"] * 19
    assert User.objects.count() == 2


# By approval


@pytest.fixture
def by_approval(settings: Any) -> None:
    settings.REGISTRATION = "approval"


@pytest.mark.usefixtures("by_approval")
def test_moderators_decide_about_confirmed_mailboxes_alone(
    api: Api, ses: Ses, moderator: User
) -> None:
    assert register(api).status_code == 202
    assert api(moderator).get("/registrations").json()["results"] == []
    confirm(api, token_in(ses))
    [row] = api(moderator).get("/registrations").json()["results"]
    assert row["username"] == "zoe"
    assert api(moderator).post(f"/registrations/{row['id']}/approve").status_code == 200
    assert User.objects.get(username="zoe").email == "zoe@example.com"
    send_due()
    assert ses.messages[-1].subject == "Your account is open"
    with no_trace():
        assert api(moderator).post(f"/registrations/{row['id']}/reject").status_code == 404


@pytest.mark.usefixtures("by_approval")
def test_who_is_rejected_is_told_why_and_the_name_is_free(
    api: Api, ses: Ses, moderator: User
) -> None:
    register(api)
    confirm(api, token_in(ses))
    waiting = Registration.objects.get()
    body = {"reason": "We know nobody of that name."}
    assert api(moderator).post(f"/registrations/{waiting.id}/reject", body).status_code == 204
    send_due()
    assert ses.messages[-1].subject == "Your registration was not accepted"
    assert body["reason"] in ses.messages[-1].text
    assert register(api).status_code == 202


# Closed


def test_where_it_is_closed_nobody_registers(api: Api, settings: Any) -> None:
    settings.REGISTRATION = "closed"
    with no_trace():
        assert refusal(register(api)) == (403, "registration_closed")
        assert "Nobody can register at the moment" in Browser().get("/register").text
