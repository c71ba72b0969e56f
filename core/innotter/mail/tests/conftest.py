"""SES as the tests have it: accepts every mail unless configured otherwise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest

from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.ses import AccountQuota

SENT = Answer(Outcome.SENT)


@dataclass
class Ses:
    # What it was asked to send, call by call; and what it has sent.
    calls: list[list[EmailMessage]] = field(default_factory=list, repr=False)
    messages: list[EmailMessage] = field(default_factory=list, repr=False)
    # What it says to a message.
    answer: Callable[[EmailMessage], Answer] = lambda message: SENT
    quota: AccountQuota = field(default_factory=lambda: AccountQuota(1e6, None))

    def send(self, messages: Sequence[EmailMessage]) -> list[Answer]:
        self.calls.append(list(messages))
        answers = [self.answer(message) for message in messages]
        self.messages += [
            message
            for message, answer in zip(messages, answers, strict=True)
            if answer.outcome is Outcome.SENT
        ]
        return answers

    @property
    def mailed(self) -> list[str]:
        """The addresses of all mails that were sent."""
        return sorted(message.to for message in self.messages)


@pytest.fixture
def ses() -> Iterator[Ses]:
    ses = Ses()
    with (
        patch("innotter.mail.sending.send_messages", ses.send),
        patch("innotter.mail.account_sending.send_messages", ses.send),
        patch("innotter.mail.quota.account_quota", lambda: ses.quota),
    ):
        yield ses
