"""Signs tokens as the core does, and as attackers do."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from innotter_contracts.ids import new_id
from innotter_contracts.tokens import ALGORITHM, AUDIENCE, MAX_LENGTH, TYPE

ISSUER = "https://core.example"
HOUR = 3600


class Signer:
    """A core, as far as its tokens tell; with a key of its own, or with that of a real one."""

    def __init__(
        self, kid: str = "test-1", *, key: Ed25519PrivateKey | None = None, issuer: str = ISSUER
    ) -> None:
        self.kid = kid
        self.issuer = issuer
        self.key = key or Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": ALGORITHM,
            "kid": kid,
            "x": base64.urlsafe_b64encode(self.public).rstrip(b"=").decode(),
        }
        self.jwks = {"keys": [self.jwk]}

    def claims(self, user: UUID | None = None, **changes: Any) -> dict[str, Any]:
        """What a good token says, with `changes`; a claim changed to None is left out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": str(user or new_id()),
            "role": "user",
            "iat": now,
            "exp": now + 300,
            "jti": str(new_id()),
            **changes,
        }
        return _without_none(claims)

    def token(
        self, user: UUID | None = None, *, headers: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        return jwt.encode(
            self.claims(user, **changes),
            self.key,
            algorithm=ALGORITHM,
            headers=_without_none({"kid": self.kid, "typ": TYPE, **(headers or {})}),
        )

    def signed(self, header: bytes, claims: bytes) -> str:
        """A token whose parts hold exactly these bytes, with a signature that is right."""
        text = f"{_base64url(header)}.{_base64url(claims)}"
        return f"{text}.{_base64url(self.key.sign(text.encode()))}"


def compact(header: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A JWT by hand: with an HMAC, or with an empty signature."""
    text = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(key, text.encode(), hashlib.sha256) if key else b""
    return f"{text}.{_base64url(signature)}"


def refused_tokens(signer: Signer) -> dict[str, str]:
    """Tokens that nobody may believe who believes the signer, by what is wrong with them."""
    stranger = Signer(signer.kid, issuer=signer.issuer)
    now = int(time.time())
    usual = {"typ": TYPE, "kid": signer.kid}
    pem = signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    evil = "https://evil.example"
    return {
        "no algorithm": compact({"alg": "none", **usual}, signer.claims()),
        "no algorithm in capitals": compact({"alg": "NONE", **usual}, signer.claims()),
        "HS256 with the public key": compact(
            {"alg": "HS256", **usual}, signer.claims(), signer.public
        ),
        "HS256 with the public key as PEM": compact(
            {"alg": "HS256", **usual}, signer.claims(), pem
        ),
        "HS256 in disguise": compact({"alg": "EdDSA", **usual}, signer.claims(), signer.public),
        "unsigned": signer.token().rpartition(".")[0] + ".",
        "another key": stranger.token(),
        "unknown kid": signer.token(headers={"kid": "other"}),
        "no kid": signer.token(headers={"kid": None}),
        "kid that is no text": compact({"alg": "EdDSA", **usual, "kid": 1}, signer.claims()),
        "its own key embedded": stranger.token(headers={"jwk": stranger.jwk}),
        "its own key embedded, under a name of its own": stranger.token(
            headers={"jwk": stranger.jwk, "kid": "mine"}
        ),
        "its own key at a URL": stranger.token(headers={"jku": f"{evil}/jwks.json"}),
        "not an access token": signer.token(headers={"typ": "JWT"}),
        "no type": signer.token(headers={"typ": ""}),
        "unknown critical extension": signer.token(headers={"crit": ["x"], "x": 1}),
        "expired": signer.token(exp=now - HOUR),
        "not yet valid": signer.token(nbf=now + HOUR),
        "issued in the future": signer.token(iat=now + HOUR),
        "another audience": signer.token(aud="elsewhere"),
        "several audiences": signer.token(aud=[AUDIENCE, "elsewhere"]),
        "another issuer": signer.token(iss=evil),
        "role that we do not know": signer.token(role="root"),
        "subject that is no user id": signer.token(sub="admin"),
        **{
            f"no {claim}": signer.token(**{claim: None})
            for claim in ("iss", "aud", "sub", "role", "exp", "iat", "jti")
        },
        "over-long": signer.token(note="x" * MAX_LENGTH),
        "a refresh token": secrets.token_urlsafe(32),
        "empty": "",
        "garbage": "garbage",
        "two parts": "a.b",
        "no text": "\xff",
        "header that is no object": base64.urlsafe_b64encode(b"[1]").decode() + ".e30.",
        **misspelt_tokens(signer),
    }


def misspelt_tokens(signer: Signer) -> dict[str, str]:
    """What a good token says in another spelling, most of them with a right signature."""
    good = signer.token()
    header, claims, signature = good.split(".")
    said = json.dumps(signer.claims())
    start = json.dumps({"alg": ALGORITHM, "typ": TYPE, "kid": signer.kid})
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 64 bytes leave four bits of the last character without a meaning.
    other_bits = signature[:-1] + last[last.index(signature[-1]) + 1]
    user = signer.claims()["sub"]
    now = int(time.time())

    def saying(text: str, encoding: str = "utf-8") -> str:
        return signer.signed(start.encode(), text.encode(encoding))

    def headed(text: str, encoding: str = "utf-8") -> str:
        return signer.signed(text.encode(encoding), said.encode())

    # One byte that is left over makes two characters of padding.
    filled = start[:-1] + " " * ((1 - len(start)) % 3) + "}"
    padded = f"{base64.urlsafe_b64encode(filled.encode()).decode()}.{_base64url(said.encode())}"
    return {
        "padding behind the signature": f"{good}==",
        "a part more": f"{good}.",
        "a line break behind it": f"{good}\n",
        "a line break within": f"{header}.{claims}\n.{signature}",
        "other bits beyond the signature": f"{header}.{claims}.{other_bits}",
        "characters of another alphabet": f"{header}.{claims}.{signature[:-2]}+/",
        "no ASCII": f"{header}.{claims}.{signature}\xe9",
        "padding in a signed part": f"{padded}.{_base64url(signer.key.sign(padded.encode()))}",
        "claims in UTF-16": saying(said, "utf-16"),
        "claims in UTF-16 without a mark": saying(said, "utf-16-le"),
        "claims in UTF-32": saying(said, "utf-32"),
        "claims behind a byte order mark": saying(said, "utf-8-sig"),
        "claims in Latin-1": saying(said[:-1] + ', "note": "\xe9"}', "latin-1"),
        "header in UTF-16": headed(start, "utf-16"),
        "header behind a byte order mark": headed(start, "utf-8-sig"),
        "spaces around the claims": saying(f" {said} "),
        "something behind the claims": saying(f"{said} {said}"),
        "a claim twice": saying(said[:-1] + f', "sub": "{user}"' + "}"),
        "a claim twice within another": saying(said[:-1] + ', "x": {"a": 1, "a": 2}}'),
        "a header twice": headed(start[:-1] + f', "kid": "{signer.kid}"' + "}"),
        "claims in a list": saying(f"[{said}]"),
        "claims nested without end": signer.signed(
            start.encode(), b'{"x": ' + b"[" * 600 + b"]" * 600 + b"}x"
        ),
        "expiry as text": signer.signed(
            start.encode(), json.dumps(signer.claims(exp=str(now + HOUR))).encode()
        ),
        "expiry as infinity": saying(json.dumps(signer.claims(exp=None))[:-1] + ', "exp": 1e999}'),
        "expiry beyond all numbers": signer.signed(
            start.encode(), json.dumps(signer.claims(exp=10**400)).encode()
        ),
        "expiry that is no number": signer.signed(
            start.encode(), json.dumps(signer.claims(exp=float("nan"))).encode()
        ),
        "start that is true": signer.signed(
            start.encode(), json.dumps(signer.claims(nbf=True)).encode()
        ),
        "time of issue as text": signer.signed(
            start.encode(), json.dumps(signer.claims(iat=str(now))).encode()
        ),
        "subject in capitals": signer.token(sub=user.upper()),
        "subject in braces": signer.token(sub="{" + user + "}"),
        "subject without hyphens": signer.token(sub=user.replace("-", "")),
    }


def refused_headers(signer: Signer) -> dict[str, str]:
    """What an Authorization header may not be, by what is wrong with it."""
    good = signer.token()
    return {
        **{what: f"Bearer {token}" for what, token in refused_tokens(signer).items()},
        "nothing": "",
        "no scheme": good,
        "another scheme": f"Basic {good}",
        "nothing after the scheme": "Bearer",
        "two tokens": f"Bearer {good} {good}",
        "two headers in one": f"Bearer {good}, Bearer {good}",
    }


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
