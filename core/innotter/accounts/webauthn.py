"""Passkeys as WebAuthn (W3C, level 3) has them. The relying party is CORE_URL, never a `Host`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

# Milliseconds, as long as a challenge lives.
TIMEOUT = 300_000
LONGEST_ID = 1023

type Json = dict[str, Any]
# What a BinaryField holds.
type Bytes = bytes | memoryview


class BadCredential(Exception):
    """What came is no answer to the challenge."""


@dataclass(frozen=True)
class NewCredential:
    id: bytes
    public_key: bytes
    sign_count: int


def creation_options(
    challenge: str, *, user_id: bytes, username: str, title: str, known: Iterable[Bytes]
) -> Json:
    """PublicKeyCredentialCreationOptionsJSON. `known` are the ids that the user has already."""
    options = webauthn.generate_registration_options(
        rp_id=_rp_id(),
        rp_name="Innotter",
        user_id=user_id,
        user_name=username,
        user_display_name=title,
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes(each)) for each in known],
    )
    return _json(options)


def request_options(challenge: str) -> Json:
    """PublicKeyCredentialRequestOptionsJSON, for any passkey of ours that the browser knows."""
    options = webauthn.generate_authentication_options(
        rp_id=_rp_id(),
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _json(options)


def challenge_of(credential: Json) -> str:
    """The challenge that it answers, as yet unverified. Raises BadCredential."""
    try:
        client_data = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return str(client_data["challenge"])
    except Exception as error:
        raise BadCredential from error


def credential_id_of(credential: Json) -> bytes:
    """Raises BadCredential."""
    try:
        return base64url_to_bytes(credential["rawId"])
    except Exception as error:
        raise BadCredential from error


def user_id_of(credential: Json) -> bytes | None:
    """Whom a discoverable passkey says that it belongs to. Raises BadCredential."""
    try:
        handle = credential["response"].get("userHandle")
        return base64url_to_bytes(handle) if handle else None
    except Exception as error:
        raise BadCredential from error


def verified_creation(credential: Json, challenge: str) -> NewCredential:
    """Raises BadCredential."""
    try:
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    # It parses what strangers send, by parsers that raise whatever they like.
    except Exception as error:
        raise BadCredential from error
    if len(found.credential_id) > LONGEST_ID:
        raise BadCredential
    return NewCredential(found.credential_id, found.credential_public_key, found.sign_count)


def verified_use(credential: Json, challenge: str, *, public_key: Bytes, sign_count: int) -> int:
    """The authenticator's count from now on. Raises BadCredential."""
    try:
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            credential_public_key=bytes(public_key),
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except Exception as error:
        raise BadCredential from error
    return found.new_sign_count


def _rp_id() -> str:
    return urlsplit(settings.CORE_URL).hostname or ""


def _origin() -> str:
    """As browsers write it: without the scheme's own port."""
    url = urlsplit(settings.CORE_URL)
    usual = {"http": 80, "https": 443}.get(url.scheme)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port not in (None, usual) else "")


def _json(options: Any) -> Json:
    return dict(json.loads(webauthn.options_to_json(options)))
