"""The keys that sign access tokens: a private JWKS in the file SIGNING_KEYS_FILE.

Each key says from when on it signs (`signs_from`, in seconds since 1970); of those whose time has
come the youngest does. The one before it is trusted until its last token has expired. A process
looks at each use whether the file is another one now, so that no rotation needs a restart.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from jwt.algorithms import OKPAlgorithm

from innotter.common.errors import Unavailable
from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, LEEWAY, Keys

# The public members of a JWK (RFC 7517).
PUBLIC = ("kty", "crv", "x", "kid", "alg", "use")


class KeysUnavailable(Unavailable):
    """SIGNING_KEYS_FILE is missing, or holds no keys that sign."""

    code = "keys_unavailable"
    detail = "The signing keys are unavailable."


class SigningKey(NamedTuple):
    jwk: dict[str, Any]
    private: jwt.PyJWK
    public: jwt.PyJWK

    @property
    def kid(self) -> str:
        return str(self.jwk["kid"])

    @property
    def signs_from(self) -> int:
        # The only key of a file that was never rotated has always signed.
        return int(self.jwk.get("signs_from", 0))


def signing_key() -> SigningKey:
    """The one that signs now. Raises KeysUnavailable."""
    keys = _keys()
    begun = [key for key in keys if key.signs_from <= time.time()]
    return begun[-1] if begun else keys[0]


def public_jwks() -> dict[str, Any]:
    """The public JWKS (RFC 7517), served at /.well-known/jwks.json.

    Those that do not sign yet are among them, so that caches know them when they begin.
    Raises KeysUnavailable.
    """
    return {"keys": [{name: key.jwk[name] for name in PUBLIC} for key in _trusted(_keys())]}


def public_keys() -> Keys:
    """What tokens are verified with. Raises KeysUnavailable."""
    return {key.kid: key.public for key in _trusted(_keys())}


def create_signing_keys(file: Path, *, prefix: str) -> None:
    """Writes a file with one new key, readable by its owner alone.

    Raises FileExistsError rather than overwrite: tokens are signed with what is there.
    """
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"keys": [_new_jwk(prefix, signs_from=0)]}, stream)


def rotate_signing_keys(file: Path, *, prefix: str, lead: int, only: bool = False) -> str:
    """Adds a key that signs in `lead` seconds, and drops those that are trusted no more.

    With `only`, all others are dropped. Returns the kid of the new key.
    """
    with _alone(file.parent):
        kept = [] if only else [key.jwk for key in _trusted(_read(file))]
        added = _new_jwk(prefix, signs_from=int(time.time()) + lead)
        _replace(file, json.dumps({"keys": [*kept, added]}))
    return str(added["kid"])


def _keys() -> list[SigningKey]:
    file = settings.SIGNING_KEYS_FILE
    try:
        now = file.stat()
    except OSError as error:
        raise KeysUnavailable from error
    return _read_once(file, now.st_ino, now.st_mtime_ns)


@lru_cache(maxsize=1)
def _read_once(file: Path, inode: int, changed: int) -> list[SigningKey]:
    return _read(file)


def _read(file: Path) -> list[SigningKey]:
    """In the order in which they sign; at least one. Raises KeysUnavailable."""
    try:
        keys = [_parsed(jwk) for jwk in json.loads(file.read_text())["keys"]]
    # Whatever is wrong with the file: it was damaged, or never was one of ours.
    except (OSError, ValueError, LookupError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise KeysUnavailable from error
    if not keys:
        raise KeysUnavailable
    return sorted(keys, key=lambda key: key.signs_from)


def _parsed(jwk: dict[str, Any]) -> SigningKey:
    """Raises ValueError unless what it signs can be verified with it."""
    private = jwt.PyJWK(jwk, algorithm=ALGORITHM)
    public = jwt.PyJWK({name: jwk[name] for name in PUBLIC}, algorithm=ALGORITHM)
    if private.key.public_key() != public.key:
        raise ValueError("the two halves of a key don't belong together")
    return SigningKey(jwk, private, public)


def _trusted(keys: list[SigningKey]) -> list[SigningKey]:
    """Without those whose last token has expired."""
    past = time.time() - settings.ACCESS_TOKEN_SECONDS - LEEWAY
    # The last one that began before then is the first that may still have signed one.
    begun = [place for place, key in enumerate(keys) if key.signs_from <= past]
    return keys[begun[-1] if begun else 0 :]


def _new_jwk(prefix: str, *, signs_from: int) -> dict[str, Any]:
    key: dict[str, Any] = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    name = {"kid": f"{prefix}{new_id()}", "alg": ALGORITHM, "use": "sig"}
    return {**key, **name, "signs_from": signs_from}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of two rotations at once the second waits, and finds what the first has written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Replaces the file atomically and keeps its owner."""
    owner = file.stat()
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        if os.geteuid() != owner.st_uid:
            os.chown(new, owner.st_uid, owner.st_gid)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
