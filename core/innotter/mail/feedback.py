"""Handles bounces and complaints from Amazon SNS: suppresses their addresses."""

from typing import Any

import structlog
from django.conf import settings
from pydantic import ValidationError

from innotter.common.errors import Forbidden, Invalid, Unavailable
from innotter.mail.models import Suppression
from innotter.mail.ses_events import Bounce, Complaint, Feedback, parse_feedback
from innotter.mail.sns import NotFromSns, SnsAway, SnsMessage
from innotter.mail.suppressions import suppress

log = structlog.get_logger("innotter.mail")

Reason = Suppression.Reason


class NotOurs(Forbidden):
    code = "unknown_sender"
    detail = "Not signed by Amazon SNS, or from an unknown topic."


def receive_message(*, body: Any) -> None:
    """The confirmation of our topic, or what became of a mail. Receiving it again changes nothing.
    Raises Invalid, NotOurs, Unavailable."""
    try:
        message = SnsMessage.model_validate(body)
    except ValidationError:
        raise Invalid("", "Not an Amazon SNS message.") from None
    if message.topic not in settings.SNS_TOPIC_ARNS:
        raise NotOurs
    try:
        message.verify()
        if message.type == "SubscriptionConfirmation":
            message.confirm()
    except NotFromSns:
        raise NotOurs from None
    except SnsAway:
        raise Unavailable from None
    log.info("sns", type=message.type, message_id=message.message_id)
    if message.type == "Notification":
        _handle(parse_feedback(message.message))


def _handle(feedback: Feedback | None) -> None:
    """A mail that came back for good and a complaint stop mail to the address; a full mailbox and
    the like do not: SES tries these again itself."""
    match feedback:
        case Feedback(type="Bounce", bounce=Bounce(type="Permanent") as bounce):
            for recipient in bounce.recipients:
                suppress(
                    recipient.address,
                    reason=Reason.BOUNCE,
                    detail=recipient.diagnostic,
                    happened_at=bounce.timestamp,
                )
        case Feedback(type="Complaint", complaint=Complaint() as complaint):
            for recipient in complaint.recipients:
                if complaint.type != "not-spam":
                    suppress(
                        recipient.address,
                        reason=Reason.COMPLAINT,
                        detail=complaint.type,
                        happened_at=complaint.timestamp,
                    )
