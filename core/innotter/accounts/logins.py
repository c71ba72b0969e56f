"""The ways in: a password, which may need a second factor, or a passkey alone."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from innotter.accounts import webauthn
from innotter.accounts.account_mail import owe_mail
from innotter.accounts.challenges import (
    Purpose,
    issue_challenge,
    open_challenge,
    spend_challenge,
    try_challenge,
)
from innotter.accounts.devices import remember_device
from innotter.accounts.factors import (
    Assertion,
    WrongCode,
    asserted,
    take_code,
    take_passkey,
)
from innotter.accounts.limits import limit_challenges, limit_code_attempts, remember_ip
from innotter.accounts.models import AccountMail, Session, User
from innotter.accounts.passwords import WrongCredentials, authenticate, renew_hash
from innotter.accounts.policies import UserBlocked
from innotter.accounts.selectors import second_factor_methods
from innotter.accounts.sessions import TokenPair, cookie_token, renew_cookie, token_pair
from innotter.common.clients import Client
from innotter.common.throttling import refund

type Json = webauthn.Json


class SecondFactorNeeded(Exception):
    """The password was right. The login goes on with `challenge` and one of `methods`: `totp`,
    `passkey`, `recovery_code`."""

    def __init__(self, challenge: str, methods: list[str]) -> None:
        super().__init__()
        self.challenge, self.methods = challenge, methods


def log_in(*, login: str, password: str, client: Client) -> TokenPair:
    """A new session of a program.

    Raises Throttled, WrongCredentials, UserBlocked, SecondFactorNeeded.
    """
    return _log_in(login, password, client, token_pair)


def log_in_to_site(*, login: str, password: str, client: Client) -> str:
    """A new session of a browser: the token for its cookie. Raises as log_in() does."""
    return _log_in(login, password, client, cookie_token)


def methods_of(challenge: str) -> list[str]:
    """By which a login can go on that holds this challenge; none where it is over."""
    found = open_challenge(challenge, Purpose.SECOND_FACTOR)
    return second_factor_methods(found.user) if found and found.user else []


def finish_login(
    *, challenge: str, code: str = "", passkey: Json | None = None, client: Client
) -> TokenPair:
    """The second step of log_in(), by a code (of an app, or a recovery code) or by what a passkey
    has signed for passkey_request().

    Raises Throttled, InvalidChallenge, WrongCode, WrongPasskey, UserBlocked.
    """
    return _finish(challenge, code, passkey, client, token_pair)


def finish_login_to_site(*, challenge: str, code: str, client: Client) -> str:
    """The second step of log_in_to_site(). Raises as finish_login() does."""
    return _finish(challenge, code, None, client, cookie_token)


def passkey_request(*, client: Client) -> Json:
    """What a passkey is to sign, of any account: PublicKeyCredentialRequestOptionsJSON, once, for
    five minutes. Raises Throttled."""
    limit_challenges(client)
    return webauthn.request_options(issue_challenge(Purpose.USE_PASSKEY, user=None))


def log_in_by_passkey(*, passkey: Json, client: Client) -> TokenPair:
    """A new session of a program. Raises InvalidChallenge, WrongPasskey, UserBlocked."""
    return _log_in_by_passkey(passkey, client, token_pair)


def log_in_to_site_by_passkey(*, passkey: Json, client: Client) -> str:
    """A new session of a browser: the token for its cookie. Raises as log_in_by_passkey() does."""
    return _log_in_by_passkey(passkey, client, cookie_token)


def confirm_code(*, session: Session, code: str, client: Client) -> str:
    """As confirm_password(), by a code of the second factor. Raises Throttled, WrongCode, and
    WrongCredentials as renew_cookie() does."""
    uses = limit_code_attempts(session.user, client)
    with transaction.atomic():
        if not take_code(code, _locked(session.user_id)):
            raise WrongCode
        token = renew_cookie(session=session, authenticated_at=timezone.now())
    refund(*uses)
    return token


def confirm_passkey(*, session: Session, passkey: Json) -> str:
    """As confirm_password(), by a passkey of one's own. Raises InvalidChallenge, WrongPasskey, and
    WrongCredentials as renew_cookie() does."""
    assertion = asserted(passkey)
    with transaction.atomic():
        take_passkey(assertion, _locked(session.user_id))
        return renew_cookie(session=session, authenticated_at=timezone.now())


def _log_in[Made](
    login: str, password: str, client: Client, make: Callable[[Session], Made]
) -> Made:
    user = authenticate(login=login, password=password, client=client)
    if user.has_second_factor:
        limit_challenges(client)
    with transaction.atomic():
        now = _locked(user.pk)
        # While the password was being checked another one may have ended all sessions, or a factor.
        if (now.password, now.has_second_factor) != (user.password, user.has_second_factor):
            raise WrongCredentials
        renew_hash(now, password)
        if not now.has_second_factor:
            return _begun(now, client, make)
        token = issue_challenge(Purpose.SECOND_FACTOR, user=now)
    raise SecondFactorNeeded(token, second_factor_methods(user))


def _finish[Made](
    challenge: str,
    code: str,
    passkey: Json | None,
    client: Client,
    make: Callable[[Session], Made],
) -> Made:
    found = try_challenge(challenge, Purpose.SECOND_FACTOR)
    assert found.user is not None
    if passkey is not None:
        assertion = asserted(passkey)
        with transaction.atomic():
            now = _locked(found.user.pk)
            spend_challenge(found)
            take_passkey(assertion, now)
            return _begun(now, client, make)
    uses = limit_code_attempts(found.user, client)
    with transaction.atomic():
        now = _locked(found.user.pk)
        spend_challenge(found)
        if not take_code(code, now):
            raise WrongCode
        made = _begun(now, client, make)
    refund(*uses)
    return made


def _log_in_by_passkey[Made](
    passkey: Json, client: Client, make: Callable[[Session], Made]
) -> Made:
    assertion: Assertion = asserted(passkey)
    with transaction.atomic():
        now = _locked(assertion.passkey.user_id)
        take_passkey(assertion, now)
        return _begun(now, client, make)


def _locked(user_id: UUID) -> User:
    """Raises UserBlocked, WrongCredentials."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if user.is_gone:
        raise WrongCredentials
    if user.is_blocked:
        raise UserBlocked
    return user


def _begun[Made](user: User, client: Client, make: Callable[[Session], Made]) -> Made:
    """A session of the user, whose row is locked, as a program or a browser holds it."""
    session = Session(
        user=user,
        user_agent=client.user_agent,
        network=client.network,
        last_used_at=timezone.now(),
    )
    if remember_device(user, client) and user.login_notifications:
        owe_mail(
            kind=AccountMail.Kind.NEW_LOGIN,
            user=user,
            user_agent=client.user_agent,
            network=client.network,
            at=session.last_used_at.isoformat(),
        )
    session.authenticated_at = session.last_used_at
    session.save(force_insert=True)
    remember_ip(user, client)
    return make(session)
