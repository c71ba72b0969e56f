import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innotter_contracts.ids import new_id
from innotter_contracts.tests.signing import ISSUER, Signer
from innotter_contracts.tokens import (
    LEEWAY,
    MAX_LENGTH,
    Claims,
    InvalidToken,
    bearer_token,
    key_id,
    keys_of,
    verify,
)

SIGNER = Signer()
STRANGER = Signer()
HOUR = 3600


def check(token: str) -> Claims:
    return verify(token, keys=keys_of(SIGNER.jwks), issuer=ISSUER)


def compact(header: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A JWT by hand: with an HMAC, or with an empty signature."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, claims)
    ]
    signature = hmac.digest(key, b".".join(parts), hashlib.sha256) if key else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_a_good_token_says_who_is_calling() -> None:
    user = new_id()
    claims = check(SIGNER.token(user, role="moderator"))
    assert (claims.sub, claims.role) == (user, "moderator")


def test_clocks_may_disagree_a_little() -> None:
    now = int(time.time())
    check(SIGNER.token(exp=now - LEEWAY + 3))
    check(SIGNER.token(iat=now + LEEWAY - 3))


def now_and(seconds: int) -> int:
    return int(time.time()) + seconds


REFUSED = {
    "no algorithm": compact({"alg": "none", "typ": "at+jwt", "kid": SIGNER.kid}, SIGNER.claims()),
    "symmetric, with the public key as the secret": compact(
        {"alg": "HS256", "typ": "at+jwt", "kid": SIGNER.kid}, SIGNER.claims(), SIGNER.public
    ),
    "symmetric in disguise": compact(
        {"alg": "EdDSA", "typ": "at+jwt", "kid": SIGNER.kid}, SIGNER.claims(), SIGNER.public
    ),
    "unsigned": SIGNER.token().rpartition(".")[0] + ".",
    "another key": STRANGER.token(),
    "unknown kid": SIGNER.token(headers={"kid": "other"}),
    "no kid": SIGNER.token(headers={"kid": None}),
    "kid that is no text": compact({"alg": "EdDSA", "typ": "at+jwt", "kid": 1}, SIGNER.claims()),
    "its own key embedded": STRANGER.token(headers={"jwk": STRANGER.jwk}),
    "its own key at an address": STRANGER.token(headers={"jku": "https://evil.example/jwks.json"}),
    "not an access token": SIGNER.token(headers={"typ": "JWT"}),
    "no type": SIGNER.token(headers={"typ": ""}),
    "unknown critical extension": SIGNER.token(headers={"crit": ["x"], "x": 1}),
    "expired": SIGNER.token(exp=now_and(-HOUR)),
    "not yet valid": SIGNER.token(nbf=now_and(HOUR)),
    "issued in the future": SIGNER.token(iat=now_and(HOUR)),
    "another audience": SIGNER.token(aud="elsewhere"),
    "several audiences": SIGNER.token(aud=["innotter", "elsewhere"]),
    "another issuer": SIGNER.token(iss="https://evil.example"),
    "role that we do not know": SIGNER.token(role="root"),
    "subject that is no user id": SIGNER.token(sub="admin"),
    **{
        f"no {claim}": SIGNER.token(**{claim: None})
        for claim in ("iss", "aud", "sub", "role", "exp", "iat", "jti")
    },
    "over-long": SIGNER.token(note="x" * MAX_LENGTH),
    "empty": "",
    "garbage": "garbage",
    "two parts": "a.b",
    "header that is no object": base64.urlsafe_b64encode(b"[1]").decode() + ".e30.",
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
def test_any_other_token_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        check(token)
    assert not token or token not in str(refusal.value)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_whatever_comes_is_no_token_and_no_crash(token: str) -> None:
    with pytest.raises(InvalidToken):
        check(token)


def test_the_key_that_a_token_names_is_known_before_anything_is_verified() -> None:
    assert key_id(STRANGER.token()) == STRANGER.kid


def test_keys_of_other_kinds_are_left_out() -> None:
    rsa = {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"}
    nameless = {name: value for name, value in SIGNER.jwk.items() if name != "kid"}
    assert list(keys_of({"keys": [rsa, nameless, SIGNER.jwk]})) == [SIGNER.kid]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_is_taken_from_its_header(scheme: str) -> None:
    assert bearer_token(f"{scheme} abc") == "abc"


@pytest.mark.parametrize(
    "header", ["", "abc", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer  a", "Bearer a,b"]
)
def test_other_authorization_headers_are_refused(header: str) -> None:
    with pytest.raises(InvalidToken):
        bearer_token(header)
