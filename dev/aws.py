"""The AWS emulator `ministack`, and what the services expect to find in AWS."""

import json
import os
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

from dev import tools
from dev.errors import Failed
from dev.ports import HOST, Port
from dev.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def url(port: Port, host: str = HOST) -> str:
    return f"http://{host}:{port.number}"


def start_aws(
    processes: Processes, data: Path, port: Port, *, strict: bool = False, host: str = HOST
) -> None:
    """What it stores is below `data` and outlives it. Strict: permissions count, as in AWS. `host`:
    the IP of this machine that it listens on."""
    (data / "tmp").mkdir(parents=True, exist_ok=True)
    python = tools.ministack()
    process = processes.start(
        "aws",
        [python, "-m", "ministack"],
        env={
            **os.environ,
            "BIND_HOST": host,
            "GATEWAY_PORT": str(port.release()),
            "AUTH": str(strict).lower(),
            # Where functions that run in it find AWS, whatever else this environment names.
            "AWS_ENDPOINT_URL": url(port, host),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(data / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(data / "s3"),
            "TMPDIR": str(data / "tmp"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
    )
    health = f"{url(port, host)}/_ministack/health"
    process.wait_until(lambda: answers(health), seconds=60)


def prepare_aws(env: Mapping[str, str]) -> None:
    """The buckets, the verified sender and the table that `env` names. May be repeated.

    Raises Failed when nobody answers at AWS_ENDPOINT_URL.
    """
    # To start the emulator takes neither: these take a second to import.
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415

    try:
        _prepare(env)
    except EndpointConnectionError as error:
        raise Failed(f"AWS_ENDPOINT_URL does not answer: {error}") from None


def _prepare(env: Mapping[str, str]) -> None:
    import boto3  # noqa: PLC0415

    from innotter_stats.store import create_table  # noqa: PLC0415

    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_DEFAULT_REGION"],
    )
    endpoint = env["AWS_ENDPOINT_URL"]
    _prepare_bucket(session.client("s3", endpoint_url=endpoint), env["MEDIA_BUCKET"])
    _create_bucket(session.client("s3", endpoint_url=endpoint), env["EXPORT_BUCKET"])
    ses = session.client("sesv2", endpoint_url=endpoint)
    with suppress(ses.exceptions.AlreadyExistsException):
        ses.create_email_identity(EmailIdentity=parseaddr(env["MAIL_FROM"])[1])
    create_table(session.client("dynamodb", endpoint_url=endpoint), env["STATISTICS_TABLE"])


def _prepare_bucket(s3: "S3Client", bucket: str) -> None:
    """The pictures of profiles: here everybody reads them from the bucket itself."""
    _create_bucket(s3, bucket)
    anybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [anybody]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _create_bucket(s3: "S3Client", bucket: str) -> None:
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)


def answers(url: str) -> bool:
    """Whether a GET there ends well."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 (our own URL)
            return True
    except OSError:
        return False
