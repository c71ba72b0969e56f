"""Events of SES about mails that it has sent: as a notification of an identity, or as an event of
a configuration set, which differ in one word."""

from email.utils import parseaddr
from typing import Literal

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from innotter.common.emails import folded_email


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Recipient(_Model):
    email: str = Field(alias="emailAddress", max_length=320)
    diagnostic: str = Field("", alias="diagnosticCode")

    @property
    def address(self) -> str:
        """As it is compared: without a name, in the form in which accounts keep theirs."""
        return folded_email(parseaddr(self.email)[1])


class Bounce(_Model):
    # Permanent, Transient or Undetermined.
    type: str = Field(alias="bounceType")
    recipients: list[Recipient] = Field(alias="bouncedRecipients")
    timestamp: AwareDatetime


class Complaint(_Model):
    recipients: list[Recipient] = Field(alias="complainedRecipients")
    # Such as `abuse`; `not-spam` is the contrary of a complaint.
    type: str = Field("", alias="complaintFeedbackType")
    timestamp: AwareDatetime


class Feedback(_Model):
    type: Literal["Bounce", "Complaint"] = Field(
        validation_alias=AliasChoices("notificationType", "eventType")
    )
    bounce: Bounce | None = None
    complaint: Complaint | None = None


def parse_feedback(message: str) -> Feedback | None:
    """None for what is about something else, such as a delivery."""
    try:
        return Feedback.model_validate_json(message)
    except ValidationError:
        return None
