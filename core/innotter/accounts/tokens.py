"""Access tokens: the only place that mints one, and that verifies one in the core."""

import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import jwt
from django.conf import settings

from innotter.accounts.keys import public_keys, signing_key
from innotter.accounts.models import Session, User
from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, AUDIENCE, LEEWAY, TYPE, Claims, key_id, verify


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
    """A verified token is remembered while it lasts and its key is trusted.
    Raises innotter_contracts.tokens.InvalidToken."""
    keys = public_keys()
    known = _verified.get(token)
    if known and keys.get(known.kid) is known.key and known.claims.exp > time.time() - LEEWAY:
        return known.claims
    claims = verify(token, keys=keys, issuer=settings.CORE_URL)
    kid = key_id(token)
    _verified[token] = Verified(claims, kid, keys[kid])
    if len(_verified) > MOST_VERIFIED:
        # The one that was verified first: about the first to expire.
        _verified.popitem(last=False)
    return claims


class Verified(NamedTuple):
    claims: Claims
    kid: str
    # Another one as soon as the file is another, whatever it holds.
    key: jwt.PyJWK


# In a process; some kilobytes each.
MOST_VERIFIED = 2000
_verified: OrderedDict[str, Verified] = OrderedDict()
