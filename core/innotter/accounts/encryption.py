"""Secrets that have to be read again, kept encrypted: who has the database alone reads none."""

import base64

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

log = structlog.get_logger(__name__)


def encrypted(secret: str) -> bytes:
    """By a key that is derived from SECRET_KEY."""
    return _keys().encrypt(secret.encode())


def decrypted(sealed: bytes | memoryview) -> str | None:
    """SECRET_KEY_FALLBACKS open it too. None where no key does: the operator has lost it."""
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        log.error("secret_unreadable", hint="SECRET_KEY_FALLBACKS lacks a former key")
        return None


def reencrypted(sealed: bytes | memoryview) -> bytes:
    """By the key of today. Raises cryptography.fernet.InvalidToken."""
    return _keys().rotate(bytes(sealed))


def _keys() -> MultiFernet:
    return MultiFernet(
        [Fernet(_derived(key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _derived(key: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"innotter accounts.encryption")
    return base64.urlsafe_b64encode(kdf.derive(key.encode()))
