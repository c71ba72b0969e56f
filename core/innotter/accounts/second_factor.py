"""Setting up and removing what one has besides a password.

Who does has just given the password, and has a confirmed mailbox, which is told. What began
before ends: other sessions, logins that wait for a factor, links in mails.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import pyotp
import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from innotter.accounts import webauthn
from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import account_action
from innotter.accounts.challenges import (
    SETUP_LIFE,
    InvalidChallenge,
    Purpose,
    issue_challenge,
    spend_challenge,
    try_challenge,
)
from innotter.accounts.encryption import decrypted, encrypted
from innotter.accounts.factors import take_totp
from innotter.accounts.limits import limit_code_attempts
from innotter.accounts.mail_tokens import void_tokens
from innotter.accounts.models import (
    LONGEST_PASSKEY_NAME,
    AccountMail,
    Passkey,
    RecoveryCode,
    Session,
    Totp,
    User,
)
from innotter.accounts.passwords import WrongPassword, is_password
from innotter.accounts.policies import require_confirmed
from innotter.accounts.selectors import digest, usable_sessions, user_named
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.database import conflicts
from innotter.common.errors import Conflict, Forbidden, Invalid, NotFound
from innotter.common.text import visible_line
from innotter.common.throttling import refund

log = structlog.get_logger(__name__)

# So long is a login on the site recent enough to change factors.
RECENT = timedelta(minutes=15)
RECOVERY_CODES = 10
MOST_PASSKEYS = 20
# Crockford's: without what looks alike.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class TotpOn(Conflict):
    code = "totp_on"
    detail = "There is an authenticator app already. Turn it off first."


class TotpNotSetUp(Conflict):
    code = "totp_not_set_up"
    detail = "Set up an authenticator app first."


class NoSecondFactor(Conflict):
    code = "no_second_factor"
    detail = "Recovery codes come with an authenticator app or a passkey."


class TooManyPasskeys(Conflict):
    code = "too_many_passkeys"
    detail = f"At most {MOST_PASSKEYS} passkeys are allowed."


class PasskeyKnown(Conflict):
    code = "passkey_known"
    detail = "This passkey was added before."


class InvalidPasskey(Invalid):
    code = "invalid_passkey"
    detail = "The passkey could not be added. Begin again."


class WrongFirstCode(Invalid):
    code = "wrong_code"
    detail = "Wrong code, or one that was used before."


class LoginTooOld(Forbidden):
    code = "login_too_old"
    detail = "Give your password again first."


@dataclass(frozen=True)
class Proof:
    """That it is the user who asks: the password, or without one that the session, a browser's, was
    begun or confirmed in the last minutes. The session is the one that goes on."""

    client: Client
    session_id: UUID | None = None
    password: str | None = None


@dataclass(frozen=True)
class Setup:
    """What an authenticator app is told: the secret in base32, and the same as an otpauth: URI."""

    secret: str
    uri: str


@account_action
def set_up_totp(*, actor: User, proof: Proof) -> Setup:
    """A new secret, which counts after confirm_totp(). Any that waits for that is replaced.

    Raises Throttled, WrongPassword, LoginTooOld, EmailUnconfirmed, TotpOn.
    """
    secret = pyotp.random_base32()
    with _proven(actor, proof):
        if Totp.objects.filter(user=actor, confirmed_at__isnull=False).exists():
            raise TotpOn
        Totp.objects.filter(user=actor).delete()
        Totp.objects.create(user=actor, secret=encrypted(secret))
    return _setup(actor, secret)


def waiting_setup(user: User) -> Setup | None:
    """The secret that waits for its first code. For those who may see it: see is_login_recent()."""
    totp = _waiting(user)
    secret = decrypted(totp.secret) if totp else None
    return _setup(user, secret) if secret else None


@account_action
def confirm_totp(*, actor: User, client: Client, session_id: UUID | None, code: str) -> list[str]:
    """The app counts from now on. New recovery codes, which are shown this once.

    Raises Throttled, EmailUnconfirmed, TotpNotSetUp, WrongFirstCode.
    """
    uses = limit_code_attempts(actor, client)
    with transaction.atomic():
        user = _locked(actor)
        require_confirmed(user)
        totp = _waiting(user)
        if totp is None:
            raise TotpNotSetUp
        if not take_totp("".join(code.split()), totp):
            raise WrongFirstCode("code")
        Totp.objects.filter(pk=totp.pk).update(confirmed_at=timezone.now())
        codes = _new_codes(user)
        _changed(user, "totp_on", but=session_id)
    refund(*uses)
    return codes


@account_action
def remove_totp(*, actor: User, proof: Proof) -> None:
    """Repeating it changes nothing. Recovery codes go with the last factor.

    Raises Throttled, WrongPassword, LoginTooOld.
    """
    with _proven(actor, proof) as user:
        gone = Totp.objects.filter(user=user, confirmed_at__isnull=False).delete()[0]
        if gone:
            _changed(user, "totp_off", but=proof.session_id)


@account_action
def renew_recovery_codes(*, actor: User, proof: Proof) -> list[str]:
    """Ten new ones, which are shown this once; the former are good no longer.

    Raises Throttled, WrongPassword, LoginTooOld, NoSecondFactor.
    """
    with _proven(actor, proof) as user:
        if not user.has_second_factor:
            raise NoSecondFactor
        codes = _new_codes(user)
        _changed(user, "recovery_codes", but=proof.session_id)
    return codes


@account_action
def passkey_creation(*, actor: User, proof: Proof) -> webauthn.Json:
    """What an authenticator is asked: PublicKeyCredentialCreationOptionsJSON, for add_passkey().

    Raises Throttled, WrongPassword, LoginTooOld, EmailUnconfirmed, TooManyPasskeys.
    """
    with _proven(actor, proof) as user:
        known = list(Passkey.objects.filter(user=user).values_list("credential_id", flat=True))
        if len(known) >= MOST_PASSKEYS:
            raise TooManyPasskeys
        challenge = issue_challenge(Purpose.ADD_PASSKEY, user=user)
        return webauthn.creation_options(
            challenge,
            user_id=user.pk.bytes,
            username=user.username,
            title=user.title,
            known=known,
        )


@account_action
def add_passkey(
    *, actor: User, session_id: UUID | None, credential: webauthn.Json, name: str = ""
) -> tuple[Passkey, list[str]]:
    """A passkey that has answered passkey_creation(), and recovery codes where it is the first
    factor, which are shown this once.

    Raises Invalid, InvalidPasskey, EmailUnconfirmed, TooManyPasskeys, PasskeyKnown.
    """
    name = visible_line("name", name or "Passkey", LONGEST_PASSKEY_NAME)
    try:
        token = webauthn.challenge_of(credential)
        challenge = try_challenge(token, Purpose.ADD_PASSKEY)
        if challenge.user_id != actor.pk:
            raise InvalidPasskey("response")
        made = webauthn.verified_creation(credential, token)
    except (webauthn.BadCredential, InvalidChallenge):
        raise InvalidPasskey("response") from None
    with conflicts({"passkey_credential_unique": PasskeyKnown}):
        user = _locked(actor)
        require_confirmed(user)
        # A new password or another factor has voided it meanwhile.
        try:
            spend_challenge(challenge)
        except InvalidChallenge:
            raise InvalidPasskey("response") from None
        if Passkey.objects.filter(user=user).count() >= MOST_PASSKEYS:
            raise TooManyPasskeys
        passkey = Passkey.objects.create(
            user=user,
            name=name,
            credential_id=made.id,
            public_key=made.public_key,
            sign_count=made.sign_count,
        )
        codes = [] if user.has_second_factor else _new_codes(user)
        _changed(user, "passkey_added", but=session_id)
    return passkey, codes


@account_action
def remove_passkey(*, actor: User, proof: Proof, passkey_id: UUID) -> None:
    """Raises Throttled, WrongPassword, LoginTooOld, NotFound."""
    with _proven(actor, proof) as user:
        if not Passkey.objects.filter(user=user, pk=passkey_id).delete()[0]:
            raise NotFound
        _changed(user, "passkey_removed", but=proof.session_id)


def remove_second_factor(*, username: str) -> bool:
    """All that a user has of it, for one who has lost it: the operator's command, who knows them.
    False where there was none: then nothing else changes, and nobody is told.

    Raises NotFound.
    """
    with transaction.atomic():
        user = _locked(user_named(username))
        had_one = user.has_second_factor
        for kind in (Totp, Passkey):
            kind.objects.filter(user=user).delete()
        if had_one:
            _changed(user, "removed_by_operator", but=None)
    if had_one:
        log.warning("second_factor_removed", user_id=str(user.pk))
    return had_one


def remove_factors_since(user: User, moment: datetime) -> None:
    """Those that were added since, recovery codes too, for who takes their account back. For use in
    a transaction that has locked the user."""
    gone = [
        Totp.objects.filter(user=user, confirmed_at__gte=moment).delete()[0],
        Passkey.objects.filter(user=user, created_at__gte=moment).delete()[0],
        RecoveryCode.objects.filter(user=user, created_at__gte=moment).delete()[0],
    ]
    if any(gone):
        _changed(user, "taken_back", but=None)


def is_login_recent(session: Session) -> bool:
    """For the site: whether the session is proof enough by itself."""
    since = timezone.now() - RECENT
    return session.authenticated_at is not None and session.authenticated_at > since


@contextmanager
def _proven(actor: User, proof: Proof) -> Iterator[User]:
    """A transaction in which the user, as they are now, is locked."""
    if proof.password is not None and not is_password(
        proof.password, user=actor, login="", client=proof.client
    ):
        raise WrongPassword("current_password")
    with transaction.atomic():
        user = _locked(actor)
        # While the password was being checked another one may have taken its place.
        if user.password != actor.password:
            raise WrongPassword("current_password")
        if proof.password is None:
            session = usable_sessions(user).filter(pk__in=[proof.session_id]).first()
            if session is None or not is_login_recent(session):
                raise LoginTooOld
        require_confirmed(user)
        yield user


def _locked(user: User) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _waiting(user: User) -> Totp | None:
    since = timezone.now() - SETUP_LIFE
    return Totp.objects.filter(user=user, confirmed_at=None, created_at__gt=since).first()


def _setup(user: User, secret: str) -> Setup:
    # An app may hold accounts of several Innotters.
    issuer = f"Innotter ({urlsplit(settings.CORE_URL).hostname})"
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=issuer)
    return Setup(secret, uri)


def _new_codes(user: User) -> list[str]:
    """Of 120 random bits, in four groups: SHA-256 is enough to keep them by (ASVS 5.0, 6.5.2)."""
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(24)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        [RecoveryCode(user=user, digest=digest(code)) for code in codes]
    )
    return ["-".join(code[at : at + 6] for at in range(0, 24, 6)) for code in codes]


def _changed(user: User, change: str, *, but: UUID | None) -> None:
    """After each change, in its transaction, with the user locked. The mail says `change`."""
    has_totp = Totp.objects.filter(user=user, confirmed_at__isnull=False).exists()
    user.has_second_factor = has_totp or Passkey.objects.filter(user=user).exists()
    user.save(update_fields=["has_second_factor", "updated_at"])
    if not user.has_second_factor:
        RecoveryCode.objects.filter(user=user).delete()
    end_all_sessions(user=user, but=but)
    void_tokens(user)
    owe_mail(kind=AccountMail.Kind.FACTOR_CHANGED, user=user, change=change)
