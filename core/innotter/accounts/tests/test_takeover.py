"""A thief had the password for a while: nothing of theirs opens the account afterwards."""

from datetime import timedelta

import pyotp
import pytest
from django.utils import timezone

from innotter.accounts import logins, second_factor
from innotter.accounts.mailboxes import RETAKEN_BEFORE
from innotter.accounts.models import FormerMailbox, Passkey, RecoveryCode, Totp, User
from innotter.accounts.tests.test_mailboxes import change, confirm, link
from innotter.accounts.tests.test_second_factor import PROOF, with_passkey, with_totp
from innotter.conftest import CLIENT, Api
from innotter.mail.tests.conftest import Ses, ses

__all__ = ["ses"]  # a fixture

NEW = "mine again, 7 x"


def taken_mailbox(ses: Ses, api: Api, user: User) -> str:
    """The thief's, confirmed. The token of the link that is mailed to the owner."""
    change(api, user, "thief@example.com")
    assert confirm(api, link(ses, "thief@example.com", "confirm")) == 204
    user.refresh_from_db()
    return link(ses, "bob@example.com", "undo")


def take_back(ses: Ses, api: Api, undo: str) -> None:
    assert api().post("/auth/email/undo", {"token": undo}).status_code == 204
    set_password(ses, api)


def set_password(ses: Ses, api: Api) -> None:
    body = {"token": link(ses, "bob@example.com", "password/reset"), "password": NEW}
    assert api().post("/auth/password-reset/confirm", body).status_code == 204


@pytest.mark.parametrize("order", ["mailbox first", "factors first"])
def test_the_link_at_the_former_mailbox_takes_the_thiefs_factors_away(
    ses: Ses, api: Api, bob: User, order: str
) -> None:
    if order == "mailbox first":
        undo = taken_mailbox(ses, api, bob)
        with_totp(bob)
        with_passkey(bob)
    else:
        with_totp(bob)
        with_passkey(bob)
        undo = taken_mailbox(ses, api, bob)
    take_back(ses, api, undo)
    assert logins.log_in(login="bob", password=NEW, client=CLIENT)
    for kind in (Totp, Passkey, RecoveryCode):
        assert not kind.objects.exists()
    assert any("were taken away" in message.text for message in ses.messages)


def test_and_leaves_the_owners_own(ses: Ses, api: Api, bob: User) -> None:
    """Who reads the former mailbox alone gets past no factor that was there in time."""
    app, _ = with_totp(bob)
    undo = taken_mailbox(ses, api, bob)
    second_factor.renew_recovery_codes(actor=bob, proof=PROOF)
    with_passkey(bob)
    long_ago = timezone.now() - RETAKEN_BEFORE - timedelta(minutes=1)
    Totp.objects.update(confirmed_at=long_ago)
    take_back(ses, api, undo)
    with pytest.raises(logins.SecondFactorNeeded) as needed:
        logins.log_in(login="bob", password=NEW, client=CLIENT)
    assert needed.value.methods == ["totp"]
    assert logins.finish_login(challenge=needed.value.challenge, code=app.now(), client=CLIENT)
    assert not FormerMailbox.objects.exists()


def test_a_secret_that_the_thief_has_seen_waits_for_nobody(ses: Ses, api: Api, bob: User) -> None:
    """They began to set up an app. The page offers its owner no secret that another one knows."""
    known = second_factor.set_up_totp(actor=bob, proof=PROOF).secret
    api().post("/auth/password-reset", {"email": "bob@example.com"})
    set_password(ses, api)
    bob.refresh_from_db()
    assert second_factor.waiting_setup(bob) is None
    with pytest.raises(second_factor.TotpNotSetUp):
        second_factor.confirm_totp(
            actor=bob, client=CLIENT, session_id=None, code=pyotp.TOTP(known).now()
        )
