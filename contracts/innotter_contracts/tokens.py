"""The one verifier of access tokens; both services' middlewares call it.

A token is a JWT (RFC 9068): header `alg: EdDSA`, `typ: at+jwt`, `kid`; claims `iss`,
`aud`, `sub` (user id), `role`, `exp`, `iat`, `jti`, and `sid`, the session that it comes from.
Keys come as a JWKS (RFC 7517).
"""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "innotter"
# Ours are some 450 characters; nobody has a reason to send us more.
MAX_LENGTH = 2048
# Seconds that the clocks of two machines may disagree by.
LEEWAY = 5

type Keys = Mapping[str, jwt.PyJWK]


class InvalidToken(ValueError):
    """The token does not prove who is calling; the message says why, without quoting it."""


class Claims(BaseModel):
    model_config = ConfigDict(frozen=True)

    sub: UUID
    role: Literal["user", "moderator", "admin"]
    jti: str
    sid: UUID | None = None


def keys_of(jwks: dict[str, Any]) -> Keys:
    """The Ed25519 keys of a JWKS by their `kid`; keys of any other kind are left out."""
    return {
        key["kid"]: jwt.PyJWK(key, algorithm=ALGORITHM)
        for key in jwks["keys"]
        if key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and "kid" in key
    }


def key_id(token: str) -> str:
    """The `kid` that a token names. Nothing is verified yet. Raises InvalidToken."""
    if len(token) > MAX_LENGTH:
        raise InvalidToken("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise InvalidToken("The token is not a JWT.") from None
    if header.get("alg") != ALGORITHM or header.get("typ") != TYPE:
        raise InvalidToken("The token is not an access token.")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken("The token names no key.")
    return kid


def verify(token: str, *, keys: Keys, issuer: str) -> Claims:
    """Who is calling. Raises InvalidToken unless every check passes."""
    key = keys.get(key_id(token))
    if key is None:
        raise InvalidToken("The token is signed with an unknown key.")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "aud", "sub", "exp", "iat", "jti"], "strict_aud": True},
        )
    except jwt.ExpiredSignatureError:
        raise InvalidToken("The token has expired.") from None
    except jwt.InvalidTokenError:
        raise InvalidToken("The token is not valid.") from None
    try:
        return Claims.model_validate(claims)
    except ValidationError:
        raise InvalidToken("The token's claims are not valid.") from None


def bearer_token(authorization: str) -> str:
    """The token of an `Authorization` header (RFC 6750). Raises InvalidToken."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token or "," in token:
        raise InvalidToken("The Authorization header is not of the form 'Bearer <token>'.")
    return token
