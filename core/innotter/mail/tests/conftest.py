"""SES as the tests have it: takes every mail, unless it is told otherwise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest

from innotter.mail.ses import AccountQuota, Fate, Letter, Outcome

SENT = Outcome(Fate.SENT)


@dataclass
class Ses:
    # What it was asked to send, call by call; and what it has sent.
    calls: list[list[Letter]] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    # What it says to a letter.
    answer: Callable[[Letter], Outcome] = lambda letter: SENT
    quota: AccountQuota = field(default_factory=lambda: AccountQuota(1e6, None))

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        self.calls.append(list(letters))
        outcomes = [self.answer(letter) for letter in letters]
        self.letters += [
            letter
            for letter, outcome in zip(letters, outcomes, strict=True)
            if outcome.fate is Fate.SENT
        ]
        return outcomes

    @property
    def mailed(self) -> list[str]:
        """The addresses of all mails that were sent."""
        return sorted(letter.to for letter in self.letters)


@pytest.fixture
def ses() -> Iterator[Ses]:
    ses = Ses()
    with (
        patch("innotter.mail.services.send_letters", ses.send),
        patch("innotter.mail.quota.account_quota", lambda: ses.quota),
    ):
        yield ses
