"""Amazon SES. The endpoint and the keys come from the AWS_* variables."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from django.conf import settings

from innotter.mail.message import Answer, EmailMessage, Outcome

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import (
        BulkEmailEntryTypeDef,
        EmailTemplateContentTypeDef,
        GetEmailIdentityResponseTypeDef,
    )

# Messages in one call of SES.
MOST_AT_ONCE = 50
CONNECT_SECONDS = 5
ANSWER_SECONDS = 20
# Calls for one batch, where SES refuses it whole for something in it: finding one address takes two
# where SES names it, eight where it does not. None begins later than so long after the first.
MOST_CALLS = 16
SEARCH_SECONDS = 5
# A batch has its answer within that.
LONGEST_BATCH = SEARCH_SECONDS + CONNECT_SECONDS + ANSWER_SECONDS

# Nobody was reached: SES cannot have sent anything.
NOT_REACHED = (
    EndpointConnectionError,
    ConnectTimeoutError,
    ProxyConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
)
# What SES says of one message that it will never say otherwise.
REFUSALS = {"MESSAGE_REJECTED", "INVALID_PARAMETER"}
# What it says of one message for now; anything else is about the account.
TRANSIENT_FAILURES = {"TRANSIENT_FAILURE", "FAILED"}
# A call that is refused because of what is in it.
BAD_CALLS = {"BadRequestException", "MessageRejected", "ValidationException"}
# The words of SES's refusals, by what they are about.
OF_THE_ACCOUNT = re.compile(r"not verified", re.I)
OF_AN_ADDRESS = re.compile(r"address|domain|local name|recipient|destination", re.I)
OF_THE_CONTENT = re.compile(r"template|render|header|subject|content|length|size|virus", re.I)

# From here on an answer says that SES failed, and not that it did nothing.
SERVER_FAILED = 500
# After these, another call would be in vain.
STOPS = {Outcome.UNAVAILABLE, Outcome.UNKNOWN}
NOT_ASKED = Answer(Outcome.UNAVAILABLE, "SES refused other messages of the same call.")


@dataclass(frozen=True)
class AccountQuota:
    """Messages a second, and messages until tomorrow (None: any number)."""

    rate: float
    left_today: float | None


@dataclass(frozen=True)
class Sender:
    """What SES knows of MAIL_FROM, as an identity of its own or by its domain.

    `dkim_names` stand below `_domainkey.` of the domain; `bounce_domain` is None where mails
    bounce to SES itself.
    """

    domain: str
    is_verified: bool
    is_signing: bool
    dkim_names: list[str]
    bounce_domain: str | None


def sender() -> Sender:
    """Raises botocore's BotoCoreError or ClientError."""
    address = parseaddr(settings.MAIL_FROM)[1]
    domain = address.partition("@")[2]
    # What is said of the address itself comes first.
    identities = [found for name in (address, domain) if (found := _identity(name))]
    dkim = [identity["DkimAttributes"] for identity in identities]
    bounces = [identity.get("MailFromAttributes", {}) for identity in identities]
    return Sender(
        domain=domain,
        is_verified=any(identity["VerifiedForSendingStatus"] for identity in identities),
        is_signing=any(each["SigningEnabled"] and each["Status"] == "SUCCESS" for each in dkim),
        dkim_names=next((each["Tokens"] for each in dkim if each.get("Tokens")), []),
        bounce_domain=next(filter(None, (each.get("MailFromDomain") for each in bounces)), None),
    )


def _identity(name: str) -> "GetEmailIdentityResponseTypeDef | None":
    client = _client()
    try:
        return client.get_email_identity(EmailIdentity=name)
    except client.exceptions.NotFoundException:
        return None


def send_messages(messages: Sequence[EmailMessage]) -> list[Answer]:
    """Up to MOST_AT_ONCE; what became of each, in their order.

    One call. SES refuses it whole for one bad address: that one is found, and the others leave,
    within MOST_CALLS and LONGEST_BATCH seconds; what was not asked by then is unavailable.
    """
    return _Batch(messages).send()


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


class _Over(Exception):
    """Nothing more is asked for this batch."""


class _Batch:
    """Messages are known by their place."""

    def __init__(self, messages: Sequence[EmailMessage]) -> None:
        self.messages = messages
        self.answers: dict[int, Answer] = {}
        self.calls = 0
        self.began = time.monotonic()

    def send(self) -> list[Answer]:
        try:
            while group := self._unanswered():
                if refusal := self._call(group):
                    self._refuse(*self._find(group, refusal))
        except _Over:
            pass
        return [self._answer_of(place) for place in range(len(self.messages))]

    def _answer_of(self, place: int) -> Answer:
        """Of a refusal without a word about the address, what SES has accepted beside it shows
        that neither the account nor what all messages share is to blame."""
        answer = self.answers.get(place, NOT_ASKED)
        if answer.outcome is not Outcome.REFUSED:
            return answer
        others = any(other.outcome is Outcome.SENT for other in self.answers.values())
        address = self.messages[place].to
        bad_address = _blames_address(answer.error, address, without_a_word=others)
        return replace(answer, bad_address=bad_address)

    def _unanswered(self) -> list[int]:
        return [place for place in range(len(self.messages)) if place not in self.answers]

    def _find(self, group: list[int], refusal: str) -> tuple[list[int], str]:
        """Those for which SES has refused a call with this group, and its words. It names them, or
        else halves are sent: where one is accepted, the other has the bad one."""
        while len(group) > 1:
            named = [place for place in group if _names(refusal, self.messages[place].to)]
            if named:
                return named, refusal
            half = group[: len(group) // 2]
            again = self._call(half)
            group, refusal = (half, again) if again else (group[len(half) :], refusal)
        return group, refusal

    def _call(self, group: list[int]) -> str:
        """Has SES answer for each of them; or why it refuses them all. Raises _Over."""
        if self.calls == MOST_CALLS or time.monotonic() > self.began + SEARCH_SECONDS:
            raise _Over
        self.calls += 1
        answers, refusal = _ask([self.messages[place] for place in group])
        self.answers.update(zip(group, answers, strict=False))
        if any(answer.outcome in STOPS for answer in answers):
            raise _Over
        return refusal

    def _refuse(self, places: list[int], refusal: str) -> None:
        """With whatever else goes to a bad address."""
        addresses = {self.messages[place].to for place in places}
        for place in self._unanswered():
            address = self.messages[place].to
            if place in places or (address in addresses and _blames_address(refusal, address)):
                self.answers[place] = Answer(Outcome.REFUSED, refusal)


# Each message is written by us: SES only fills it in. It escapes nothing, and reads no marks in
# what it fills in.
TEMPLATE: "EmailTemplateContentTypeDef" = {
    "Subject": "{{subject}}",
    "Text": "{{text}}",
    "Html": "{{html}}",
}


def _ask(messages: Sequence[EmailMessage]) -> tuple[list[Answer], str]:
    """One call: an answer for each message, or the words with which SES refuses them all."""
    client = _client()
    try:
        reply = client.send_bulk_email(
            FromEmailAddress=settings.MAIL_FROM,
            DefaultContent={"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}"}},
            BulkEmailEntries=[_entry(message) for message in messages],
        )
    except ClientError as error:
        if _is_refusal(error):
            return [], str(error)
        outcome = Outcome.UNKNOWN if _status(error) >= SERVER_FAILED else Outcome.UNAVAILABLE
        return [Answer(outcome, str(error))] * len(messages), ""
    except (BotoCoreError, ResponseParserError) as error:
        outcome = Outcome.UNAVAILABLE if _not_reached(error) else Outcome.UNKNOWN
        return [Answer(outcome, str(error))] * len(messages), ""
    results = reply.get("BulkEmailEntryResults", [])
    if len(results) != len(messages):
        return [Answer(Outcome.UNKNOWN, "SES's answer can't be read.")] * len(messages), ""
    answers = [_answer(result["Status"], result.get("Error", "")) for result in results]
    return answers, ""


def _entry(message: EmailMessage) -> "BulkEmailEntryTypeDef":
    data = {"subject": message.subject, "text": message.text, "html": message.html}
    return {
        "Destination": {"ToAddresses": [message.to]},
        "ReplacementEmailContent": {
            "ReplacementTemplate": {
                "ReplacementTemplateData": json.dumps(data, ensure_ascii=False),
            }
        },
        "ReplacementHeaders": [
            {"Name": name, "Value": value} for name, value in message.headers.items()
        ],
    }


def _answer(status: str, error: str) -> Answer:
    """What SES says of one message of a call that it has accepted."""
    said = f"{status}: {error}" if error else status
    if status == "SUCCESS":
        return Answer(Outcome.SENT)
    if status in REFUSALS and not OF_THE_ACCOUNT.search(error):
        return Answer(Outcome.REFUSED, said)
    transient = status in TRANSIENT_FAILURES
    return Answer(Outcome.TRANSIENT_FAILURE if transient else Outcome.UNAVAILABLE, said)


def _is_refusal(error: ClientError) -> bool:
    """Of what is in the call, and neither of our account nor of our sender."""
    text = str(error)
    return (
        _status(error) < SERVER_FAILED
        and error.response["Error"]["Code"] in BAD_CALLS
        and not OF_THE_ACCOUNT.search(text)
        and not _names(text, parseaddr(settings.MAIL_FROM)[1])
    )


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _not_reached(error: Exception) -> bool:
    """A TLS connection that breaks later than in its handshake has perhaps carried the call."""
    if isinstance(error, SSLError):
        return "certificate verify failed" in str(error).lower()
    return isinstance(error, NOT_REACHED)


def _blames_address(refusal: str, address: str, *, without_a_word: bool = True) -> bool:
    if _names(refusal, address) or OF_AN_ADDRESS.search(refusal):
        return True
    return without_a_word and not OF_THE_CONTENT.search(refusal)


def _names(text: str, address: str) -> bool:
    """As a word of its own: a@x.org does not stand in aa@x.org."""
    part_of_address = r"[\w.+@-]"
    alone = rf"(?<!{part_of_address}){re.escape(address)}(?!\w|[.+@-]\w)"
    return re.search(alone, text, re.I) is not None


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
