"""Signs tokens as the core does, and as those do who would like to be believed."""

import base64
import time
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, AUDIENCE, TYPE

ISSUER = "https://core.example"


class Signer:
    def __init__(self, kid: str = "test-1") -> None:
        self.kid = kid
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": ALGORITHM,
            "kid": kid,
            "x": base64.urlsafe_b64encode(self.public).rstrip(b"=").decode(),
        }
        self.jwks = {"keys": [self.jwk]}

    def claims(self, user: UUID | None = None, **changes: Any) -> dict[str, Any]:
        """What a good token says, with `changes`; a claim changed to None is left out."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user or new_id()),
            "role": "user",
            "iat": now,
            "exp": now + 300,
            "jti": str(new_id()),
            **changes,
        }
        return _without_none(claims)

    def token(
        self, user: UUID | None = None, *, headers: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        return jwt.encode(
            self.claims(user, **changes),
            self.key,
            algorithm=ALGORITHM,
            headers=_without_none({"kid": self.kid, "typ": TYPE, **(headers or {})}),
        )


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
