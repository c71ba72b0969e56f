"""Access tokens: the only place that mints one."""

from datetime import UTC, datetime, timedelta

import jwt
from django.conf import settings

from innotter.accounts.keys import public_keys, signing_key
from innotter.accounts.models import Session, User
from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, AUDIENCE, TYPE, Claims, verify


def mint_access_token(user: User, *, session: Session | None = None) -> str:
    """Good for ACCESS_TOKEN_SECONDS in both services; in the core while the session lives."""
    now = datetime.now(UTC)
    key = signing_key()
    return jwt.encode(
        {
            "iss": settings.CORE_URL,
            "aud": AUDIENCE,
            "sub": str(user.id),
            "role": user.role,
            "iat": now,
            "exp": now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS),
            "jti": str(new_id()),
            **({"sid": str(session.id)} if session else {}),
        },
        key.private.key,
        algorithm=ALGORITHM,
        headers={"typ": TYPE, "kid": key.kid},
    )


def verify_access_token(token: str) -> Claims:
    """Raises innotter_contracts.tokens.InvalidToken."""
    return verify(token, keys=public_keys(), issuer=settings.CORE_URL)
