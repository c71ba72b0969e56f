"""Amazon SES. The address of the service and the keys come from the AWS_* variables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)
from django.conf import settings

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import BulkEmailEntryTypeDef, EmailTemplateContentTypeDef

# What one call of SES takes.
MOST_AT_ONCE = 50
CONNECT_SECONDS = 5
ANSWER_SECONDS = 20

# Nobody was reached: SES cannot have sent anything.
NOT_REACHED = (
    EndpointConnectionError,
    ConnectTimeoutError,
    ProxyConnectionError,
    SSLError,
    NoCredentialsError,
    PartialCredentialsError,
)
# What SES says of one mail that it will never say otherwise.
REFUSALS = {"MESSAGE_REJECTED", "INVALID_PARAMETER"}
# What it says of one mail for now; anything else is about the account, and not the mail's fault.
STUMBLES = {"TRANSIENT_FAILURE", "FAILED"}
# A call that is refused because of what is in it.
BAD_CALLS = {"BadRequestException", "MessageRejected", "ValidationException"}


@dataclass(frozen=True)
class Letter:
    """A mail as it leaves. `unsubscribe_url` is for one click (RFC 8058)."""

    to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str


class Fate(Enum):
    """What became of a mail."""

    SENT = "sent"
    # SES will never take it.
    REFUSED = "refused"
    # SES would not take it this time.
    STUMBLED = "stumbled"
    # SES takes nothing from us now: it is away, or the account has to wait or is not in order.
    PUT_OFF = "put_off"
    # SES was asked and did not answer.
    DOUBTFUL = "doubtful"


@dataclass(frozen=True)
class Outcome:
    fate: Fate
    error: str = ""


@dataclass(frozen=True)
class AccountQuota:
    """Mails a second, and mails until tomorrow (None: any number)."""

    rate: float
    left_today: float | None


def send_letters(letters: Sequence[Letter]) -> list[Outcome]:
    """Up to MOST_AT_ONCE in one call; what became of each. A letter for which SES refuses the
    whole call is found by halves, and holds up no other."""
    try:
        answer = _client().send_bulk_email(
            FromEmailAddress=settings.MAIL_FROM,
            DefaultContent={"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}"}},
            BulkEmailEntries=[_entry(letter) for letter in letters],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in BAD_CALLS:
            return [Outcome(Fate.PUT_OFF, str(error))] * len(letters)
        if len(letters) == 1:
            return [Outcome(Fate.REFUSED, str(error))]
        half = len(letters) // 2
        return send_letters(letters[:half]) + send_letters(letters[half:])
    except NOT_REACHED as error:
        return [Outcome(Fate.PUT_OFF, str(error))] * len(letters)
    except BotoCoreError as error:
        return [Outcome(Fate.DOUBTFUL, str(error))] * len(letters)
    return [
        _outcome(result["Status"], result.get("Error", ""))
        for result in answer["BulkEmailEntryResults"]
    ]


def account_quota() -> AccountQuota:
    """Raises botocore's BotoCoreError or ClientError."""
    account = _client().get_account()
    quota = account["SendQuota"]
    most = quota["Max24HourSend"]
    return AccountQuota(
        rate=quota["MaxSendRate"] if account["SendingEnabled"] else 0,
        # -1 stands for any number.
        left_today=None if most < 0 else max(0, most - quota["SentLast24Hours"]),
    )


# Each letter is written by us: SES only fills it in. It escapes nothing, and reads no marks in
# what it fills in.
TEMPLATE: "EmailTemplateContentTypeDef" = {
    "Subject": "{{subject}}",
    "Text": "{{text}}",
    "Html": "{{html}}",
}


def _entry(letter: Letter) -> "BulkEmailEntryTypeDef":
    data = {"subject": letter.subject, "text": letter.text, "html": letter.html}
    return {
        "Destination": {"ToAddresses": [letter.to]},
        "ReplacementEmailContent": {
            "ReplacementTemplate": {
                "ReplacementTemplateData": json.dumps(data, ensure_ascii=False),
            }
        },
        "ReplacementHeaders": [
            {"Name": "List-Unsubscribe", "Value": f"<{letter.unsubscribe_url}>"},
            {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
        ],
    }


def _outcome(status: str, error: str) -> Outcome:
    said = f"{status}: {error}" if error else status
    if status == "SUCCESS":
        return Outcome(Fate.SENT)
    if status in REFUSALS:
        return Outcome(Fate.REFUSED, said)
    return Outcome(Fate.STUMBLED if status in STUMBLES else Fate.PUT_OFF, said)


@cache
def _client() -> "SESV2Client":
    # No retries by botocore: one that comes after a lost answer would be a second mail.
    return boto3.client(
        "sesv2",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"total_max_attempts": 1},
        ),
    )
