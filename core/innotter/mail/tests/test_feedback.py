"""Bounces and complaints stop mail to an address, when Amazon SNS really says so."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.test import Client, override_settings

from innotter.accounts.models import User
from innotter.accounts.services import edit_user
from innotter.conftest import CLIENT, PASSWORD, new_post, no_trace, refusal
from innotter.mail import sns
from innotter.mail.models import Suppression
from innotter.mail.sending import notify_followers
from innotter.mail.suppressions import lift_suppressions
from innotter.mail.tests.conftest import Ses
from innotter.pages.models import Page

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
KEY = generate_private_key(65537, 2048)
OTHER_KEY = generate_private_key(65537, 2048)


def certificate(name: str = "sns.amazonaws.com", *, days: int = 30) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


class Amazon:
    """What lies at Amazon's addresses, and which of them were asked for."""

    def __init__(self) -> None:
        self.files = {CERTIFICATE_URL: certificate(), SUBSCRIBE_URL: b"<ok/>"}
        self.asked: list[str] = []

    def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.files:
            raise sns.NotFromSns
        return self.files[url]


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    amazon = Amazon()
    sns._certificate.cache_clear()
    with (
        patch.object(sns, "_get", amazon.get),
        override_settings(SNS_TOPIC_ARNS=frozenset({TOPIC})),
    ):
        yield amazon
    sns._certificate.cache_clear()


def signed(
    message: Any, *, version: str = "2", key: RSAPrivateKey = KEY, **fields: str
) -> dict[str, str]:
    body = {
        "Type": "Notification",
        "MessageId": "22b80b92",
        "TopicArn": TOPIC,
        "Message": json.dumps(message),
        "Timestamp": "2026-11-25T12:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **fields,
    }
    # As in Amazon's documentation.
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if body["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body)
    algorithm = SHA1() if version == "1" else SHA256()  # noqa: S303 (Amazon has it so)
    signature = key.sign(text.encode(), PKCS1v15(), algorithm)
    return {**body, "Signature": base64.b64encode(signature).decode()}


def notify(body: Any) -> "Answer":
    return Client().post(
        "/api/v1/mail/feedback", json.dumps(body), content_type="text/plain; charset=UTF-8"
    )


def bounce(address: str, kind: str = "Permanent", **more: Any) -> dict[str, Any]:
    recipient = {"emailAddress": address, "diagnosticCode": "550 no such mailbox"}
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bouncedRecipients": [recipient],
            "timestamp": "2026-11-25T11:59:00.000Z",
            **more,
        },
    }


def complaint(address: str, **more: Any) -> dict[str, Any]:
    return {
        # As an event of a configuration set.
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": "abuse",
            "timestamp": "2026-11-25T11:59:00.000Z",
            **more,
        },
    }


def active() -> list[tuple[str, str]]:
    return list(
        Suppression.objects.filter(lifted_at=None)
        .order_by("address")
        .values_list("address", "reason")
    )


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_for_good_stops_mail(
    amazon: Amazon, ses: Ses, bob: User, page: Page, version: str
) -> None:
    assert notify(signed(bounce("Bob <BOB@Example.com>"), version=version)).status_code == 204
    assert active() == [("bob@example.com", "bounce")]
    notify_followers(new_post(page).id)
    assert ses.mailed == []


def test_a_complaint_stops_mail(amazon: Amazon, ses: Ses, bob: User, page: Page) -> None:
    notify(signed(complaint(str(bob.email)), Subject="Amazon SES"))
    assert active() == [("bob@example.com", "complaint")]
    notify_followers(new_post(page).id)
    assert ses.mailed == []


def test_another_address_of_the_same_user_is_another_matter(
    amazon: Amazon, ses: Ses, bob: User, page: Page
) -> None:
    notify(signed(bounce(str(bob.email))))
    edit_user(actor=bob, client=CLIENT, email="bob@elsewhere.example", current_password=PASSWORD)
    notify_followers(new_post(page).id)
    assert ses.mailed == ["bob@elsewhere.example"]


HARMLESS = [
    bounce("bob@example.com", "Transient"),
    bounce("bob@example.com", "Undetermined"),
    complaint("bob@example.com", complaintFeedbackType="not-spam"),
    {"notificationType": "Delivery", "delivery": {}},
    {"notificationType": "Bounce"},
    bounce("no address at all"),
    "just words",
    [],
]


@pytest.mark.parametrize("message", HARMLESS)
def test_everything_else_is_taken_note_of_and_stops_nothing(
    amazon: Amazon, db: None, message: Any
) -> None:
    with no_trace():
        assert notify(signed(message)).status_code == 204


def test_what_is_notified_twice_counts_once_and_a_lift_holds(
    amazon: Amazon, ses: Ses, bob: User, page: Page
) -> None:
    notification = signed(bounce(str(bob.email)))
    notify(notification)
    with no_trace():
        notify(notification)
    assert lift_suppressions(Suppression.objects.values_list("id", flat=True)) == 1
    # The same bounce, late; and another one.
    notify(notification)
    assert active() == []
    notify_followers(new_post(page).id)
    assert ses.mailed == [bob.email]
    later = datetime.now(UTC) + timedelta(hours=1)
    notify(signed(bounce(str(bob.email), timestamp=later.isoformat())))
    assert active() == [("bob@example.com", "bounce")]


def test_the_certificate_is_fetched_once(amazon: Amazon, db: None) -> None:
    for n in range(3):
        notify(signed(bounce(f"{n}@example.com")))
    assert amazon.asked == [CERTIFICATE_URL]


def test_our_topic_is_confirmed(amazon: Amazon, db: None) -> None:
    body = signed(
        {}, Type="SubscriptionConfirmation", SubscribeURL=SUBSCRIBE_URL, Token="t", Message="Hello"
    )
    assert notify(body).status_code == 204
    assert amazon.asked == [CERTIFICATE_URL, SUBSCRIBE_URL]


def forgeries() -> list[dict[str, str]]:
    notification = signed(bounce("bob@example.com"))
    elsewhere = "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"
    return [
        {**notification, "Message": json.dumps(bounce("eve@example.com"))},
        {**notification, "Subject": "added"},
        {**notification, "SignatureVersion": "1"},
        {**notification, "Signature": "none"},
        {**notification, "Signature": ""},
        signed(bounce("bob@example.com"), key=OTHER_KEY),
        signed(bounce("bob@example.com"), TopicArn=f"{TOPIC}-of-another"),
        *(
            signed(bounce("bob@example.com"), SigningCertURL=url)
            for url in (
                elsewhere,
                CERTIFICATE_URL.replace("https", "http"),
                CERTIFICATE_URL.replace("https://", "https://user@"),
                CERTIFICATE_URL.replace(".com/", ".com:444/"),
                CERTIFICATE_URL.replace("sns.", "s3."),
                CERTIFICATE_URL.replace(".pem", ".txt"),
                CERTIFICATE_URL.replace("-1.pem", "-2.pem"),
                "https://[",
                "file:///etc/passwd.pem",
                f"{CERTIFICATE_URL}\nHost: x.pem",
            )
        ),
        signed(
            {},
            Type="SubscriptionConfirmation",
            SubscribeURL="https://evil.example/?Action=ConfirmSubscription",
            Token="t",
        ),
    ]


@pytest.mark.parametrize("body", forgeries())
def test_what_amazon_has_not_signed_leaves_no_trace(
    amazon: Amazon, db: None, body: dict[str, str]
) -> None:
    with no_trace():
        assert refusal(notify(body)) == (403, "unknown_sender")
    assert set(amazon.asked) <= {CERTIFICATE_URL, CERTIFICATE_URL.replace("-1.pem", "-2.pem")}


@pytest.mark.parametrize(
    "pem",
    [certificate("somebody.example"), certificate(days=-1), b"no certificate"],
    ids=["somebody else's", "of the past", "none"],
)
def test_a_certificate_of_somebody_else_or_of_the_past_proves_nothing(
    amazon: Amazon, db: None, pem: bytes
) -> None:
    amazon.files[CERTIFICATE_URL] = pem
    with no_trace():
        assert refusal(notify(signed(bounce("bob@example.com")))) == (403, "unknown_sender")


def test_while_amazon_is_away_it_is_asked_to_tell_us_again(amazon: Amazon, db: None) -> None:
    with patch.object(sns, "_get", side_effect=sns.SnsAway), no_trace():
        assert refusal(notify(signed(bounce("bob@example.com")))) == (503, "unavailable")


@pytest.mark.parametrize("body", [{}, [], "words", None, 5, {"Type": "Notification"}])
def test_what_is_no_message_is_400(amazon: Amazon, db: None, body: Any) -> None:
    assert refusal(notify(body)) == (400, "invalid")


def test_without_a_topic_of_ours_nobody_is_believed(amazon: Amazon, db: None) -> None:
    with override_settings(SNS_TOPIC_ARNS=frozenset()):
        assert refusal(notify(signed(bounce("bob@example.com"))))[0] == 403
    assert amazon.asked == []
