"""An e-mail as it leaves, and what became of it; of no vendor, and whatever it says."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class EmailMessage:
    """`to` is one bare address, `subject` one line. `unsubscribe_url` is for one click (RFC 8058);
    `list_id` names what is subscribed to, without angle brackets (RFC 2919). What is not sent to
    subscribers has neither."""

    to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str | None = None
    list_id: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Beside From, To and Subject. RFC 3834: nobody answers a machine."""
        headers = {"Auto-Submitted": "auto-generated"}
        if self.list_id:
            headers["List-Id"] = f"<{self.list_id}>"
        if self.unsubscribe_url:
            headers["List-Unsubscribe"] = f"<{self.unsubscribe_url}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


class Outcome(Enum):
    SENT = "sent"
    # Never accepted, however often it is tried.
    REFUSED = "refused"
    # Not accepted this time.
    TRANSIENT_FAILURE = "transient_failure"
    # Nothing is accepted from us now: the service is away, or the account must wait.
    UNAVAILABLE = "unavailable"
    # Perhaps accepted: the answer is lost, or says that the service failed.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What became of one message. `bad_address`: it was refused because of its address."""

    outcome: Outcome
    error: str = ""
    bad_address: bool = False
