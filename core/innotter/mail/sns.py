"""Messages of Amazon SNS, and whether they are really from there."""

import base64
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Self
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field, model_validator

# Amazon's own hosts, and no other port, user or scheme: what comes from there over TLS is theirs.
HOST = re.compile(r"sns\.[a-z]{2}(-[a-z]+)+-\d+\.amazonaws\.com(\.cn)?")
SIGNER = "sns.amazonaws.com"
SECONDS = 5
LARGEST = 64 * 1024
# What is signed, in this order; a Subject only where there is one.
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
SIGNED["UnsubscribeConfirmation"] = SIGNED["SubscriptionConfirmation"]
HASHES = {"1": SHA1, "2": SHA256}


class NotFromSns(Exception):
    """The message is not signed by Amazon SNS."""


class SnsAway(Exception):
    """Amazon did not answer: try again later."""


class SnsMessage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] = Field(
        alias="Type"
    )
    message_id: str = Field(alias="MessageId")
    topic: str = Field(alias="TopicArn")
    message: str = Field(alias="Message")
    subject: str | None = Field(None, alias="Subject")
    timestamp: str = Field(alias="Timestamp")
    version: Literal["1", "2"] = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature")
    certificate_url: str = Field(alias="SigningCertURL")
    subscribe_url: str | None = Field(None, alias="SubscribeURL")
    token: str | None = Field(None, alias="Token")

    @model_validator(mode="after")
    def confirmations_say_where(self) -> Self:
        if self.type != "Notification" and not (self.subscribe_url and self.token):
            raise ValueError("SubscribeURL and Token are missing")
        return self

    def verify(self) -> None:
        """Raises NotFromSns, SnsAway."""
        try:
            signature = base64.b64decode(self.signature, validate=True)
            _public_key(self.certificate_url).verify(
                signature, self._signed(), PKCS1v15(), HASHES[self.version]()
            )
        except (InvalidSignature, ValueError) as error:
            raise NotFromSns from error

    def confirm(self) -> None:
        """Confirms the subscription to the topic. Only of a verified one. Raises NotFromSns,
        SnsAway."""
        assert self.subscribe_url is not None
        _fetch(self.subscribe_url)

    def _signed(self) -> bytes:
        values = self.model_dump(by_alias=True)
        lines = [
            f"{name}\n{values[name]}\n" for name in SIGNED[self.type] if values[name] is not None
        ]
        return "".join(lines).encode()


def _public_key(url: str) -> RSAPublicKey:
    """Raises NotFromSns, SnsAway."""
    pem, now = _certificate(url), datetime.now(UTC)
    try:
        certificate = load_pem_x509_certificate(pem)
    except ValueError as error:
        raise NotFromSns from error
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    key = certificate.public_key()
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    if not valid or [name.value for name in names] != [SIGNER] or not isinstance(key, RSAPublicKey):
        raise NotFromSns
    return key


@lru_cache(maxsize=8)
def _certificate(url: str) -> bytes:
    """There are few: a new one gets a new URL."""
    if not urlsplit(url).path.endswith(".pem"):
        raise NotFromSns
    return _fetch(url)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _fetch(url: str) -> bytes:
    """From Amazon's hosts alone. Raises NotFromSns, SnsAway."""
    try:
        parts = urlsplit(url)
        amazon = HOST.fullmatch(parts.netloc)
    except ValueError as error:
        raise NotFromSns from error
    if parts.scheme != "https" or not amazon or not url.isascii() or not url.isprintable():
        raise NotFromSns
    return _get(url)


def _get(url: str) -> bytes:
    try:
        with urllib.request.build_opener(_NoRedirects).open(url, timeout=SECONDS) as answer:
            return bytes(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise NotFromSns from error
        raise SnsAway from error
    except (OSError, ValueError) as error:
        raise SnsAway from error
