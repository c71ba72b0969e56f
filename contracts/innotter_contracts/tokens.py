"""The one verifier of access tokens; both services' middlewares call it.

A token is a JWT (RFC 9068): header `alg: EdDSA`, `typ: at+jwt`, `kid`; claims `iss`,
`aud`, `sub` (user id), `role`, `exp`, `iat`, `jti`, and `sid`, the session that it comes from.
Keys come as a JWKS (RFC 7517).

One token has one spelling: base64url without padding (RFC 7515, section 2), UTF-8 JSON objects
without a byte order mark, duplicate names or anything around them, and times that are numbers
(RFC 7519, NumericDate). Another spelling of the same token is refused.
"""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "innotter"
# Ours are some 450 characters; nobody has a reason to send us more.
MAX_LENGTH = 2048
# Integers above it are not the same in every JSON parser (RFC 8259, section 6).
MAX_TIME = 2**53
TIMES = ("exp", "iat", "nbf")
# Seconds that the clocks of two machines may disagree by.
LEEWAY = 5

type Keys = Mapping[str, jwt.PyJWK]


class InvalidToken(ValueError):
    """The token does not authenticate the caller; the message says why, without quoting it."""


def _canonical_uuid(given: object) -> object:
    """Pydantic alone takes braces, capitals, `urn:uuid:` and no hyphens too."""
    if isinstance(given, str) and str(UUID(given)) != given:
        raise ValueError("not a UUID in its usual form")
    return given


type Id = Annotated[UUID, BeforeValidator(_canonical_uuid)]


class Claims(BaseModel):
    model_config = ConfigDict(frozen=True)

    sub: Id
    role: Literal["user", "moderator", "admin"]
    jti: str
    # Seconds since 1970.
    exp: float
    sid: Id | None = None


def keys_of(jwks: dict[str, Any]) -> Keys:
    """The Ed25519 keys of a JWKS by their `kid`; keys of any other kind are left out."""
    return {
        key["kid"]: jwt.PyJWK(key, algorithm=ALGORITHM)
        for key in jwks["keys"]
        if key.get("kty") == "OKP" and key.get("crv") == "Ed25519" and "kid" in key
    }


def key_id(token: str) -> str:
    """The `kid` that a token names. Nothing is verified yet. Raises InvalidToken."""
    header, _ = _parts(token)
    if header.get("alg") != ALGORITHM or header.get("typ") != TYPE:
        raise InvalidToken("The token is not an access token.")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken("The token has no key id.")
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
        raise InvalidToken("Invalid token.") from None
    try:
        return Claims.model_validate(claims)
    except ValidationError:
        raise InvalidToken("Invalid token claims.") from None


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified. Raises InvalidToken for any spelling but the canonical one."""
    if len(token) > MAX_LENGTH:
        raise InvalidToken("The token is too long.")
    try:
        header, claims, signature = token.split(".")
        _bytes(signature)
        found = _object(_bytes(header)), _object(_bytes(claims))
    except (ValueError, RecursionError):
        raise InvalidToken("The token is not a JWT.") from None
    for name in TIMES:
        if name in found[1] and not _is_time(found[1][name]):
            raise InvalidToken(f"The token's '{name}' is not a time.")
    return found


def _bytes(part: str) -> bytes:
    """Raises ValueError for padding, other alphabets, and bits beyond the last byte."""
    content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(content).rstrip(b"=") != part.encode("ascii"):
        raise ValueError("not canonical base64url")
    return content


def _object(content: bytes) -> dict[str, Any]:
    """Raises ValueError for anything but one JSON object in UTF-8 with nothing around it."""
    text = content.decode("utf-8")
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("not a JSON object")
    found: dict[str, Any] = json.loads(
        text, object_pairs_hook=_distinct, parse_constant=_no_constant
    )
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < MAX_TIME  # type: ignore[operator]


def bearer_token(authorization: str) -> str:
    """The token of an `Authorization` header (RFC 6750). Raises InvalidToken."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token or "," in token:
        raise InvalidToken("The Authorization header is not of the form 'Bearer <token>'.")
    return token
