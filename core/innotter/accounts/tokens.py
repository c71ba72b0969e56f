"""Access tokens: the only place that mints one, and the keys that sign them.

The keys are a private JWKS in a file: the first signs, all of them verify.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from jwt.algorithms import OKPAlgorithm

from innotter.accounts.models import User
from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, AUDIENCE, TYPE, Claims, Keys, keys_of, verify


def mint_access_token(user: User) -> str:
    """Good for ACCESS_TOKEN_SECONDS in both services."""
    now = datetime.now(UTC)
    key = _private_keys()[0]
    return jwt.encode(
        {
            "iss": settings.CORE_URL,
            "aud": AUDIENCE,
            "sub": str(user.id),
            "role": user.role,
            "iat": now,
            "exp": now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS),
            "jti": str(new_id()),
        },
        jwt.PyJWK(key).key,
        algorithm=ALGORITHM,
        headers={"typ": TYPE, "kid": key["kid"]},
    )


def verify_access_token(token: str) -> Claims:
    """Raises innotter_contracts.tokens.InvalidToken."""
    return verify(token, keys=_public_keys(), issuer=settings.CORE_URL)


def public_jwks() -> dict[str, Any]:
    """What the world may know of our keys: /.well-known/jwks.json."""
    return {
        "keys": [{n: v for n, v in key.items() if n != "d"} for key in _private_keys()],
    }


def create_signing_keys(file: Path, *, prefix: str) -> None:
    """Writes a private JWKS with one new key, readable by its owner alone.

    Raises FileExistsError rather than overwrite: tokens are signed with what is there.
    """
    key = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    key |= {"kid": f"{prefix}{new_id()}", "alg": ALGORITHM, "use": "sig"}
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"keys": [key]}, stream)


@lru_cache(maxsize=1)
def _private_keys() -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(settings.SIGNING_KEYS_FILE.read_text())["keys"]
    return keys


@lru_cache(maxsize=1)
def _public_keys() -> Keys:
    return keys_of(public_jwks())
