import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client

from innotter.accounts.keys import create_signing_keys, public_jwks, rotate_signing_keys
from innotter.accounts.models import User
from innotter.accounts.tokens import _verified, mint_access_token, verify_access_token
from innotter_contracts.tokens import Claims, InvalidToken, verify

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Of an access token, and of two clocks that disagree.
LIFE = 605


def published_keys() -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = Client().get("/.well-known/jwks.json").json()["keys"]
    return keys


def published_kids() -> list[str]:
    return [key["kid"] for key in published_keys()]


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    """Signing keys of the test's own: one that has always signed."""
    settings.SIGNING_KEYS_FILE = tmp_path / "keys.json"
    create_signing_keys(settings.SIGNING_KEYS_FILE, prefix="")
    return tmp_path / "keys.json"


def rotate(*arguments: str) -> str:
    """The new key's kid."""
    call_command("rotate_signing_keys", *arguments)
    return published_kids()[-1]


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


def test_only_the_public_part_of_the_keys_is_published(file: Path) -> None:
    rotate()
    private = json.loads(file.read_text())["keys"]
    assert len(published_keys()) == len(private) == 2
    for key in published_keys():
        assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    answer = Client().get("/.well-known/jwks.json")
    assert answer["Cache-Control"] == "public, max-age=300"
    assert all(key["d"] not in answer.content.decode() for key in private)


# Rotation


def test_a_new_key_is_published_before_it_signs(ann: User, file: Path) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old = kid_of(mint_access_token(ann))
        new = rotate()
        assert published_kids() == [old, new]
        clock.shift(599)
        assert kid_of(mint_access_token(ann)) == old
        clock.shift(1)
        assert kid_of(mint_access_token(ann)) == new


def test_tokens_of_the_key_before_live_out_their_time(ann: User, file: Path) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        rotate("--lead", "60")
        clock.shift(59)
        in_hand = mint_access_token(ann)
        clock.shift(LIFE - 10)
        # The new key has long begun, and the old one's last token is not over yet.
        assert kid_of(mint_access_token(ann)) != kid_of(in_hand)
        assert verify_access_token(in_hand).sub == ann.id


def test_a_key_whose_last_token_is_over_is_believed_no_more(ann: User, file: Path) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old = published_kids()
        new = rotate("--lead", "60")
        clock.shift(60 + LIFE - 1)
        assert published_kids() == [*old, new]
        clock.shift(1)
        assert published_kids() == [new]
        # The next rotation clears it away.
        third = rotate()
        assert [key["kid"] for key in json.loads(file.read_text())["keys"]] == [new, third]


def test_a_running_process_needs_no_restart(ann: User, file: Path) -> None:
    """It has read the file already, and finds another one at the next use."""
    before = mint_access_token(ann)
    new = rotate("--lead", "0")
    assert kid_of(mint_access_token(ann)) == new
    assert verify_access_token(before).sub == ann.id


def test_stolen_keys_are_believed_no_more_from_now_on(ann: User, file: Path) -> None:
    in_hand = mint_access_token(ann)
    assert verify_access_token(in_hand).sub == ann.id
    new = rotate("--stolen")
    assert published_kids() == [new]
    assert verify_access_token(mint_access_token(ann)).sub == ann.id
    with pytest.raises(InvalidToken):
        verify_access_token(in_hand)


def test_a_token_is_verified_once_while_it_lasts(
    ann: User, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    def noted(token: str, **words: Any) -> Claims:
        verified.append(token)
        return verify(token, **words)

    monkeypatch.setattr("innotter.accounts.tokens.verify", noted)
    with time_machine.travel(NOON, tick=False) as clock:
        mine, other = mint_access_token(ann), mint_access_token(ann)
        for token in (mine, other, mine, other):
            assert verify_access_token(token).sub == ann.id
        assert verified == [mine, other]
        clock.shift(LIFE)
        with pytest.raises(InvalidToken, match="expired"):
            verify_access_token(mine)


def test_those_that_were_verified_first_are_forgotten(
    ann: User, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter.accounts.tokens.MOST_VERIFIED", 2)
    _verified.clear()
    for _ in range(5):
        assert verify_access_token(mint_access_token(ann)).sub == ann.id
    assert len(_verified) <= 2


def test_two_rotations_at_once_lose_no_key(file: Path) -> None:
    def rotate_once() -> None:
        rotate_signing_keys(file, prefix="", lead=60)

    threads = [threading.Thread(target=rotate_once) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(public_jwks()["keys"]) == 9


# The file


def test_keys_are_made_for_their_owners_eyes_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    call_command("create_signing_keys", file)
    written = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(written)["keys"][0]["kid"].startswith("development-")
    with pytest.raises(CommandError):
        call_command("create_signing_keys", file)
    assert file.read_text() == written


def test_a_rotated_file_is_for_its_owners_eyes_too(file: Path) -> None:
    file.with_name("keys.json.new").write_text("left over from a rotation that died")
    file.chmod(0o644)
    rotate()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["keys.json"]


def test_a_rotation_that_dies_leaves_the_file_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = file.read_text()
    monkeypatch.setattr("os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rotate()
    assert file.read_text() == written


def test_keys_made_for_production_are_not_named_after_development(
    settings: Any, file: Path
) -> None:
    settings.INNOTTER_ENV = "production"
    rotate()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        assert "development" not in rotate()
    assert "development" not in file.read_text()
    call_command("create_signing_keys", file.with_name("other.json"))
    assert "development" not in file.with_name("other.json").read_text()
