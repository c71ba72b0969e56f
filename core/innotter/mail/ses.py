"""Amazon SES. The address of the service and the keys come from the AWS_* variables."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from django.conf import settings

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


def send_mail(*, to: str, subject: str, text: str) -> None:
    """Raises botocore's BotoCoreError or ClientError."""
    _client().send_email(
        FromEmailAddress=settings.MAIL_FROM,
        Destination={"ToAddresses": [to]},
        Content={
            "Simple": {
                "Subject": {"Data": subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
            }
        },
    )


@cache
def _client() -> "SESV2Client":
    # No retries by botocore: one that comes after a lost answer would be a second mail.
    return boto3.client(
        "sesv2",
        config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1}),
    )
