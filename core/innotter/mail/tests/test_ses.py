"""What goes to SES, and what its answers mean."""

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.stub import ANY, Stubber

from innotter.mail import ses
from innotter.mail.ses import AccountQuota, Fate, Letter, account_quota, send_letters

SES = "https://ses.example"


def letter(to: str = "bob@example.com") -> Letter:
    return Letter(to, "Тема", "Привет 👋 {{html}}", "<p>Привет</p>", "https://x.example/u/t")


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
        # RFC 8058
        "ReplacementHeaders": [
            {"Name": "List-Unsubscribe", "Value": "<https://x.example/u/t>"},
            {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
        ],
    }
    expected = {"FromEmailAddress": ANY, "DefaultContent": ANY, "BulkEmailEntries": [entry]}
    stub.add_response("send_bulk_email", results("SUCCESS"), expected)
    [outcome] = send_letters([letter()])
    assert outcome.fate is Fate.SENT


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        ("SUCCESS", Fate.SENT),
        ("MESSAGE_REJECTED", Fate.REFUSED),
        ("INVALID_PARAMETER", Fate.REFUSED),
        ("TRANSIENT_FAILURE", Fate.STUMBLED),
        ("FAILED", Fate.STUMBLED),
        ("ACCOUNT_THROTTLED", Fate.PUT_OFF),
        ("ACCOUNT_DAILY_QUOTA_EXCEEDED", Fate.PUT_OFF),
        ("ACCOUNT_SENDING_PAUSED", Fate.PUT_OFF),
        ("MAIL_FROM_DOMAIN_NOT_VERIFIED", Fate.PUT_OFF),
    ],
)
def test_each_answer_has_its_meaning(stub: Stubber, status: str, fate: Fate) -> None:
    stub.add_response("send_bulk_email", results("SUCCESS", status))
    outcomes = send_letters([letter(), letter()])
    assert [outcome.fate for outcome in outcomes] == [Fate.SENT, fate]


@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "LimitExceededException", "InternalServiceError"]
)
def test_a_call_that_is_refused_for_now_is_put_off(stub: Stubber, code: str) -> None:
    stub.add_client_error("send_bulk_email", code)
    assert {outcome.fate for outcome in send_letters([letter()] * 3)} == {Fate.PUT_OFF}


def test_one_mail_that_spoils_a_call_holds_up_no_other() -> None:
    error = ses._client().exceptions.BadRequestException(
        {"Error": {"Code": "BadRequestException"}}, "SendBulkEmail"
    )

    def answer(**call: Any) -> Any:
        entries = call["BulkEmailEntries"]
        if any("spoilt" in str(entry["Destination"]) for entry in entries):
            raise error
        return results(*["SUCCESS"] * len(entries))

    letters = [letter(f"{n}@example.com") for n in range(8)]
    letters[5] = letter("spoilt")
    with patch.object(ses._client(), "send_bulk_email", answer):
        outcomes = send_letters(letters)
    assert [n for n, outcome in enumerate(outcomes) if outcome.fate is Fate.REFUSED] == [5]
    assert sum(outcome.fate is Fate.SENT for outcome in outcomes) == 7


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (EndpointConnectionError(endpoint_url=SES), Fate.PUT_OFF),
        (ConnectTimeoutError(endpoint_url=SES), Fate.PUT_OFF),
        (ReadTimeoutError(endpoint_url=SES), Fate.DOUBTFUL),
        (ConnectionClosedError(endpoint_url=SES), Fate.DOUBTFUL),
    ],
)
def test_an_answer_that_does_not_come_is_a_doubt_where_ses_was_reached(
    error: BotoCoreError, fate: Fate
) -> None:
    with patch.object(ses._client(), "send_bulk_email", side_effect=error):
        assert [outcome.fate for outcome in send_letters([letter()])] == [fate]


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


def test_ses_takes_our_mail() -> None:
    """The real client, against SES as the environment has it."""
    outcomes = send_letters([letter(f"someone{n}@example.com") for n in range(50)])
    assert {outcome.fate for outcome in outcomes} == {Fate.SENT}
    assert account_quota().rate > 0
