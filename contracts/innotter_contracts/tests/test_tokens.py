import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innotter_contracts.ids import new_id
from innotter_contracts.tests.signing import ISSUER, Signer, refused_tokens
from innotter_contracts.tokens import (
    LEEWAY,
    Claims,
    InvalidToken,
    bearer_token,
    key_id,
    keys_of,
    verify,
)

SIGNER = Signer()
STRANGER = Signer()


def check(token: str) -> Claims:
    return verify(token, keys=keys_of(SIGNER.jwks), issuer=ISSUER)


def test_a_good_token_says_who_is_calling() -> None:
    user = new_id()
    claims = check(SIGNER.token(user, role="moderator"))
    assert (claims.sub, claims.role) == (user, "moderator")


def test_clocks_may_disagree_a_little() -> None:
    now = int(time.time())
    check(SIGNER.token(exp=now - LEEWAY + 3))
    check(SIGNER.token(iat=now + LEEWAY - 3))


REFUSED = refused_tokens(SIGNER)


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
