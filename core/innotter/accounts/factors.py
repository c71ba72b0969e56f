"""The one place where a second factor is checked, and each code counted."""

import unicodedata
from dataclasses import dataclass

import pyotp
from django.db import transaction
from django.utils import timezone
from pyotp.exceptions import OTPVerificationError

from innotter.accounts import webauthn
from innotter.accounts.account_mail import owe_mail
from innotter.accounts.challenges import Purpose, spend_challenge, try_challenge
from innotter.accounts.encryption import decrypted, reencrypted
from innotter.accounts.models import AccountMail, Passkey, RecoveryCode, Totp, User
from innotter.accounts.selectors import digest
from innotter.common.errors import Unauthenticated

# RFC 6238: so many steps of 30 seconds before and after the present one, for clocks that differ.
WINDOW = 1
CODE_DIGITS = 6
# Letters that no recovery code has, and the digits that they are taken for (Crockford's base32).
MISREAD = str.maketrans("oil", "011")


class WrongCode(Unauthenticated):
    code = "wrong_code"
    detail = "Wrong code, or one that was used before."


class WrongPasskey(Unauthenticated):
    code = "wrong_passkey"
    detail = "This passkey is not known here, or did not confirm that it is you."


@dataclass(frozen=True)
class Assertion:
    """What a passkey has signed: a challenge that was ours, and is spent. Nothing of it is verified
    before take_passkey()."""

    credential: webauthn.Json
    challenge: str
    passkey: Passkey


def take_code(code: str, user: User) -> bool:
    """Whether it is a code of the user's app or one of their recovery codes, which is then used up.

    The user's row is locked, so that of many at once one is taken. That a recovery code was used
    is told by mail.
    """
    typed = "".join(unicodedata.normalize("NFKC", code).split()).replace("-", "").lower()
    if len(typed) == CODE_DIGITS and typed.isascii() and typed.isdecimal():
        totp = Totp.objects.filter(user=user, confirmed_at__isnull=False).first()
        return totp is not None and take_totp(typed, totp)
    meant = typed.translate(MISREAD)
    unused = RecoveryCode.objects.filter(used_at=None, user=user, digest=digest(meant))
    if not unused.update(used_at=timezone.now()):
        return False
    owe_mail(kind=AccountMail.Kind.FACTOR_CHANGED, user=user, change="recovery_code_used")
    return True


def take_totp(code: str, totp: Totp) -> bool:
    """Whether it is a code of this app, later than any before. The user's row is locked."""
    secret = decrypted(totp.secret)
    if secret is None:
        return False
    try:
        step = pyotp.TOTP(secret).verify_and_get_timecode(
            code, for_time=timezone.now(), valid_window=WINDOW
        )
    except OTPVerificationError:
        return False
    if step <= totp.last_step:
        return False
    totp.last_step, totp.secret = step, reencrypted(totp.secret)
    totp.save(update_fields=["last_step", "secret", "updated_at"])
    return True


def asserted(credential: webauthn.Json) -> Assertion:
    """Spends the challenge that it answers, right or wrong. Not for use in a transaction. Raises
    WrongPasskey, InvalidChallenge."""
    try:
        challenge = webauthn.challenge_of(credential)
        credential_id = webauthn.credential_id_of(credential)
    except webauthn.BadCredential:
        raise WrongPasskey from None
    spend_challenge(try_challenge(challenge, Purpose.USE_PASSKEY))
    passkey = Passkey.objects.filter(credential_id=credential_id).first()
    if passkey is None:
        raise WrongPasskey
    return Assertion(credential, challenge, passkey)


def take_passkey(assertion: Assertion, user: User) -> None:
    """That it was signed by this user's passkey. The user's row is locked. Raises WrongPasskey."""
    passkey = Passkey.objects.filter(pk=assertion.passkey.pk, user=user).first()
    if passkey is None:
        raise WrongPasskey
    try:
        if webauthn.user_id_of(assertion.credential) not in (None, user.pk.bytes):
            raise WrongPasskey
        passkey.sign_count = webauthn.verified_use(
            assertion.credential,
            assertion.challenge,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
        )
    except webauthn.BadCredential:
        raise WrongPasskey from None
    passkey.last_used_at = timezone.now()
    passkey.save(update_fields=["sign_count", "last_used_at", "updated_at"])


def reencrypt_secrets() -> tuple[int, int]:
    """With the key of today, for an operator who has changed it: how many, and how many secrets no
    key that is left can open."""
    done = unreadable = 0
    for totp_id in list(Totp.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            totp = Totp.objects.select_for_update(no_key=True).filter(pk=totp_id).first()
            if totp is None:
                continue
            if decrypted(totp.secret) is None:
                unreadable += 1
                continue
            Totp.objects.filter(pk=totp_id).update(secret=reencrypted(totp.secret))
            done += 1
    return done, unreadable
