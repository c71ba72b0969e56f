"""An authenticator of passkeys in software (WebAuthn level 3), for the tests of the server."""

import hashlib
import json
import secrets
import struct
from typing import Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """Holds one passkey, and answers as a browser would at `origin`."""

    def __init__(self) -> None:
        self.id = secrets.token_bytes(32)
        self.origin = settings.CORE_URL
        self.flags = PRESENT | VERIFIED
        # Many don't count, and say 0.
        self.counts = True
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        # Base64url; none before it is made.
        self.user_id = ""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """RegistrationResponseJSON."""
        self.user_id = options["user"]["id"]
        point = self._key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(public)
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options["challenge"]),
            attestationObject=attestation,
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """AuthenticationResponseJSON."""
        data = self._data(options["rpId"], self.flags)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(client_data).digest()
        return self._answer(
            clientDataJSON=client_data,
            authenticatorData=data,
            signature=self._key.sign(signed, ec.ECDSA(hashes.SHA256())),
            userHandle=base64url_to_bytes(self.user_id),
        )

    def _answer(self, **response: bytes) -> dict[str, Any]:
        own = bytes_to_base64url(self.id)
        written = {name: bytes_to_base64url(value) for name, value in response.items()}
        return {"id": own, "rawId": own, "type": "public-key", "response": written}

    def _data(self, rp_id: str, flags: int) -> bytes:
        self.count += self.counts
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        origin = f"{urlsplit(self.origin).scheme}://{urlsplit(self.origin).netloc}"
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()
