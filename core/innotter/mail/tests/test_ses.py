"""What goes to SES, and what its answers mean."""

import json
from collections.abc import Collection, Iterator
from email.utils import parseaddr
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from botocore.stub import ANY, Stubber
from django.conf import settings

from innotter.mail import ses
from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.ses import MOST_CALLS, AccountQuota, account_quota, send_messages

SES = "https://ses.example"


def message(to: str = "bob@example.com") -> EmailMessage:
    return EmailMessage(
        to,
        "Тема",
        "Привет 👋 {{html}}",
        "<p>Привет</p>",
        unsubscribe_url="https://x.example/u/t",
        list_id="7.pages.x.example",
    )


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(ses._client()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def results(*statuses: str) -> dict[str, Any]:
    return {"BulkEmailEntryResults": [{"Status": status} for status in statuses]}


def test_each_mail_of_a_call_has_its_own_content_and_its_own_link(stub: Stubber) -> None:
    entry = {
        "Destination": {"ToAddresses": ["bob@example.com"]},
        "ReplacementEmailContent": {
            "ReplacementTemplate": {
                "ReplacementTemplateData": json.dumps(
                    {
                        "subject": "Тема",
                        "text": "Привет 👋 {{html}}",
                        "html": "<p>Привет</p>",
                    },
                    ensure_ascii=False,
                )
            }
        },
        # RFC 3834, 2919, 8058
        "ReplacementHeaders": [
            {"Name": "Auto-Submitted", "Value": "auto-generated"},
            {"Name": "List-Id", "Value": "<7.pages.x.example>"},
            {"Name": "List-Unsubscribe", "Value": "<https://x.example/u/t>"},
            {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
        ],
    }
    expected = {"FromEmailAddress": ANY, "DefaultContent": ANY, "BulkEmailEntries": [entry]}
    stub.add_response("send_bulk_email", results("SUCCESS"), expected)
    [answer] = send_messages([message()])
    assert answer.outcome is Outcome.SENT


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SUCCESS", Outcome.SENT),
        ("MESSAGE_REJECTED", Outcome.REFUSED),
        ("INVALID_PARAMETER", Outcome.REFUSED),
        ("TRANSIENT_FAILURE", Outcome.TRANSIENT_FAILURE),
        ("FAILED", Outcome.TRANSIENT_FAILURE),
        ("ACCOUNT_THROTTLED", Outcome.UNAVAILABLE),
        ("ACCOUNT_DAILY_QUOTA_EXCEEDED", Outcome.UNAVAILABLE),
        ("ACCOUNT_SENDING_PAUSED", Outcome.UNAVAILABLE),
        ("MAIL_FROM_DOMAIN_NOT_VERIFIED", Outcome.UNAVAILABLE),
    ],
)
def test_each_answer_has_its_meaning(stub: Stubber, status: str, expected: Outcome) -> None:
    stub.add_response("send_bulk_email", results("SUCCESS", status))
    answers = send_messages([message(), message()])
    assert [answer.outcome for answer in answers] == [Outcome.SENT, expected]


@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "LimitExceededException", "InternalServiceError"]
)
def test_a_call_that_is_refused_for_now_waits(stub: Stubber, code: str) -> None:
    stub.add_client_error("send_bulk_email", code)
    assert {answer.outcome for answer in send_messages([message()] * 3)} == {Outcome.UNAVAILABLE}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("code", ["InternalServiceErrorException", "BadRequestException"])
def test_an_answer_that_ses_failed_is_an_unknown_outcome(
    stub: Stubber, status: int, code: str
) -> None:
    """It may have failed after it had accepted; one call, and no other."""
    stub.add_client_error("send_bulk_email", code, http_status_code=status)
    assert {answer.outcome for answer in send_messages([message()] * 3)} == {Outcome.UNKNOWN}


def test_an_answer_that_cannot_be_read_is_an_unknown_outcome(stub: Stubber) -> None:
    stub.add_response("send_bulk_email", results("SUCCESS"))
    assert {answer.outcome for answer in send_messages([message()] * 3)} == {Outcome.UNKNOWN}
    garbage = ResponseParserError("Unable to parse response")
    with patch.object(ses._client(), "send_bulk_email", side_effect=garbage):
        assert [answer.outcome for answer in send_messages([message()])] == [Outcome.UNKNOWN]


# One bad address


class StrictSes:
    """Refuses a call whole for a bad address in it, and says so in words of its own."""

    def __init__(self, bad: Collection[str], words: str = "") -> None:
        self.bad = set(bad)
        self.words = words
        self.sent: list[str] = []
        self.calls = 0

    def answer(self, **call: Any) -> Any:
        self.calls += 1
        asked = [entry["Destination"]["ToAddresses"][0] for entry in call["BulkEmailEntries"]]
        if bad := [address for address in asked if address in self.bad]:
            words = self.words.format(bad[0])
            raise ClientError(
                {"Error": {"Code": "BadRequestException", "Message": words}}, "SendBulkEmail"
            )
        self.sent += asked
        return results(*["SUCCESS"] * len(asked))

    def send(self, messages: list[EmailMessage]) -> list[Answer]:
        with patch.object(ses._client(), "send_bulk_email", self.answer):
            return send_messages(messages)


MESSAGES = [message(f"{n}@example.com") for n in range(50)]
ADDRESSES = [each.to for each in MESSAGES]


def refused(answers: list[Answer]) -> list[int]:
    return [n for n, answer in enumerate(answers) if answer.outcome is Outcome.REFUSED]


def test_one_mail_that_spoils_a_call_holds_up_no_other() -> None:
    messages = [message(f"{n}@example.com") for n in range(8)]
    messages[5] = message("spoilt")
    answers = StrictSes(["spoilt"]).send(messages)
    assert refused(answers) == [5]
    assert sum(answer.outcome is Outcome.SENT for answer in answers) == 7


@pytest.mark.parametrize("place", range(50))
@pytest.mark.parametrize(
    ("words", "most_calls"), [("Illegal address: {0}", 2), ("", 8)], ids=["named", "unnamed"]
)
def test_a_bad_address_costs_few_calls(place: int, words: str, most_calls: int) -> None:
    strict = StrictSes([ADDRESSES[place]], words)
    answers = strict.send(MESSAGES)
    assert refused(answers) == [place]
    assert answers[place].bad_address
    assert sorted(strict.sent) == sorted({*ADDRESSES} - {ADDRESSES[place]})
    assert strict.calls <= most_calls


@pytest.mark.parametrize("words", ["Illegal address: {0}", ""], ids=["named", "unnamed"])
def test_many_bad_addresses_are_found_in_bounded_steps(words: str) -> None:
    """What one batch leaves waits for another, without those that were found."""
    bad = ADDRESSES[::5]
    left, found, batches = MESSAGES, set[str](), 0
    strict = StrictSes(bad, words)
    while left:
        batches += 1
        before = strict.calls
        answers = strict.send(left)
        assert strict.calls - before <= MOST_CALLS
        known = refused(answers)
        assert known or not set(bad) - found
        assert all(answers[n].bad_address for n in known)
        found |= {left[n].to for n in known}
        left = [
            each
            for each, answer in zip(left, answers, strict=True)
            if answer.outcome is Outcome.UNAVAILABLE
        ]
    assert found == set(bad)
    assert sorted(strict.sent) == sorted(set(ADDRESSES) - set(bad))
    assert (batches, strict.calls) <= ((1, 11) if words else (5, 5 * MOST_CALLS))


def test_no_call_begins_when_the_batch_has_taken_long() -> None:
    """Its claim would be over before its answer."""
    strict = StrictSes([ADDRESSES[7]])
    with patch.object(ses, "SEARCH_SECONDS", -1):
        answers = strict.send(MESSAGES)
    assert strict.calls == 0
    assert {answer.outcome for answer in answers} == {Outcome.UNAVAILABLE}


def test_an_address_within_another_is_not_named() -> None:
    messages = [message("bob@example.com"), message("a.bob@example.com"), message("eve@x.example")]
    answers = StrictSes(["a.bob@example.com"], "Invalid: <{0}>.").send(messages)
    assert refused(answers) == [1]


def test_the_same_address_is_refused_once_for_all_its_mails() -> None:
    strict = StrictSes(["bob@example.com"])
    answers = strict.send([message("bob@example.com"), message("eve@example.com")] * 2)
    assert refused(answers) == [0, 2]
    assert strict.sent == ["eve@example.com"] * 2


@pytest.mark.parametrize(
    "words",
    [
        "Email address is not verified. The following identities failed the check: {0}",
        f"Invalid sender {parseaddr(settings.MAIL_FROM)[1]}",
    ],
)
def test_what_the_account_lacks_is_not_blamed_on_an_address(words: str) -> None:
    strict = StrictSes(ADDRESSES, words)
    assert {answer.outcome for answer in strict.send(MESSAGES)} == {Outcome.UNAVAILABLE}
    assert strict.calls == 1


@pytest.mark.parametrize("words", ["Template rendering failed", ""])
def test_what_all_mails_share_is_not_blamed_on_an_address(words: str) -> None:
    answers = StrictSes(ADDRESSES, words).send(MESSAGES)
    assert not any(answer.bad_address for answer in answers)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url=SES), Outcome.UNAVAILABLE),
        (ConnectTimeoutError(endpoint_url=SES), Outcome.UNAVAILABLE),
        (ReadTimeoutError(endpoint_url=SES), Outcome.UNKNOWN),
        (ConnectionClosedError(endpoint_url=SES), Outcome.UNKNOWN),
        (
            SSLError(endpoint_url=SES, error=OSError("EOF occurred in violation of protocol")),
            Outcome.UNKNOWN,
        ),
        (
            SSLError(endpoint_url=SES, error=OSError("certificate verify failed")),
            Outcome.UNAVAILABLE,
        ),
    ],
)
def test_an_answer_that_does_not_come_is_a_doubt_where_ses_was_reached(
    error: BotoCoreError, expected: Outcome
) -> None:
    with patch.object(ses._client(), "send_bulk_email", side_effect=error):
        assert [answer.outcome for answer in send_messages([message()])] == [expected]


def test_the_quota_is_what_the_account_has_left(stub: Stubber) -> None:
    def account(**quota: float) -> dict[str, Any]:
        return {"SendQuota": quota, "SendingEnabled": True}

    stub.add_response("get_account", account(MaxSendRate=14, Max24HourSend=200, SentLast24Hours=60))
    stub.add_response("get_account", account(MaxSendRate=90, Max24HourSend=-1, SentLast24Hours=6))
    assert account_quota() == AccountQuota(14, 140)
    assert account_quota() == AccountQuota(90, None)


def test_an_account_that_may_not_send_has_no_rate(stub: Stubber) -> None:
    quota = {"MaxSendRate": 14.0, "Max24HourSend": 200.0, "SentLast24Hours": 0.0}
    stub.add_response("get_account", {"SendQuota": quota, "SendingEnabled": False})
    assert account_quota().rate == 0


@pytest.mark.usefixtures("aws")
def test_ses_takes_our_mail() -> None:
    """The real client, against SES as the environment has it."""
    answers = send_messages([message(f"someone{n}@example.com") for n in range(50)])
    assert {answer.outcome for answer in answers} == {Outcome.SENT}
    assert account_quota().rate > 0
