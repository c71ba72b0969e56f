import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from innotter.accounts import tokens
from innotter.accounts.models import User
from innotter.accounts.tokens import create_signing_keys, mint_access_token, verify_access_token
from innotter_contracts.tokens import InvalidToken


def published_keys() -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = Client().get("/.well-known/jwks.json").json()["keys"]
    return keys


@pytest.fixture
def forget_keys() -> Iterator[None]:
    """For tests that change SIGNING_KEYS_FILE, which a process reads once."""
    _forget_keys()
    yield
    _forget_keys()


def _forget_keys() -> None:
    tokens._private_keys.cache_clear()
    tokens._public_keys.cache_clear()


def test_a_token_says_what_the_contract_says(moderator: User) -> None:
    token = mint_access_token(moderator)
    header = jwt.get_unverified_header(token)
    key = next(key for key in published_keys() if key["kid"] == header["kid"])
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="innotter")
    assert claims.keys() == {"iss", "aud", "sub", "role", "iat", "exp", "jti"}
    assert claims["iss"] == "http://localhost:8000"
    assert (claims["sub"], claims["role"]) == (str(moderator.id), "moderator")
    assert claims["exp"] - claims["iat"] == 600


def test_no_two_tokens_are_the_same(ann: User) -> None:
    assert mint_access_token(ann) != mint_access_token(ann)


def test_only_the_public_part_of_the_keys_is_published(settings: Any) -> None:
    private = json.loads(settings.SIGNING_KEYS_FILE.read_text())["keys"]
    assert len(published_keys()) == len(private)
    for key in published_keys():
        assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    answer = Client().get("/.well-known/jwks.json")
    assert answer["Cache-Control"] == "public, max-age=300"
    assert all(key["d"] not in answer.content.decode() for key in private)


@pytest.mark.usefixtures("forget_keys")
def test_keys_are_changed_without_refusing_tokens_in_hand(
    ann: User, settings: Any, tmp_path: Path
) -> None:
    """A new key goes in front of the old one, which leaves when its last token has expired."""
    old, new, both = tmp_path / "old", tmp_path / "new", tmp_path / "both"
    create_signing_keys(old, prefix="")
    create_signing_keys(new, prefix="")
    keys = [json.loads(file.read_text())["keys"][0] for file in (new, old)]
    both.write_text(json.dumps({"keys": keys}))

    settings.SIGNING_KEYS_FILE = old
    in_hand = mint_access_token(ann)
    settings.SIGNING_KEYS_FILE = both
    _forget_keys()
    assert verify_access_token(in_hand).sub == ann.id
    assert jwt.get_unverified_header(mint_access_token(ann))["kid"] == keys[0]["kid"]
    settings.SIGNING_KEYS_FILE = new
    _forget_keys()
    with pytest.raises(InvalidToken):
        verify_access_token(in_hand)


def test_keys_are_made_for_their_owners_eyes_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    call_command("create_signing_keys", file)
    written = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(written)["keys"][0]["kid"].startswith("development-")
    with pytest.raises(CommandError):
        call_command("create_signing_keys", file)
    assert file.read_text() == written


def test_keys_made_for_production_are_not_named_after_development(
    settings: Any, tmp_path: Path
) -> None:
    settings.INNOTTER_ENV = "production"
    call_command("create_signing_keys", tmp_path / "keys.json")
    assert "development" not in (tmp_path / "keys.json").read_text()
