"""What the image of the tools does at a start ends well, or with one line."""

import os
import re
from typing import TYPE_CHECKING, Any

import kombu
import pytest

from dev.prepare import main

if TYPE_CHECKING:
    from collections.abc import Mapping


def refused(capsys: pytest.CaptureFixture[str], work: str) -> str:
    assert main([work]) == 1
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_queues_and_aws_may_be_prepared_again(rabbitmq: Any, aws: Any) -> None:
    assert main(["queues"]) == 0
    assert main(["aws"]) == 0


@pytest.mark.parametrize(
    ("work", "variable", "value", "says"),
    [
        ("queues", "AMQP_URL", None, "AMQP_URL must be set"),
        ("queues", "AMQP_URL", "http://broker", "AMQP_URL must be of the form"),
        ("queues", "AMQP_URL", "amqp://x:y@127.0.0.1:1/%2F", "does not answer"),
        ("aws", "AWS_ENDPOINT_URL", None, "AWS_ENDPOINT_URL must be set"),
        ("aws", "AWS_ENDPOINT_URL", "http://127.0.0.1:1", "does not answer"),
        ("aws", "AWS_DEFAULT_REGION", "nowhere at all", "nowhere at all"),
        ("aws", "MEDIA_BUCKET", "A Bucket", "A Bucket"),
    ],
)
def test_what_can_not_be_prepared_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rabbitmq: Any,
    aws: Any,
    work: str,
    variable: str,
    value: str | None,
    says: str,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    assert says in refused(capsys, work)


def test_a_broker_that_refuses_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rabbitmq: Any
) -> None:
    url = re.sub(r"//.*@", "//stranger:sesame@", os.environ["AMQP_URL"])
    monkeypatch.setenv("AMQP_URL", url)
    assert "sesame" not in refused(capsys, "queues")


def test_a_queue_that_is_there_in_another_form_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rabbitmq: Any
) -> None:
    other: Mapping[str, Any] = {
        "exchanges": [],
        "queues": [
            {
                "name": "other",
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-expires": 9000},
            }
        ],
        "bindings": [],
    }
    with kombu.Connection(os.environ["AMQP_URL"]) as connection:
        kombu.Queue("other", channel=connection.default_channel, durable=True).queue_declare()
        monkeypatch.setattr("dev.topology.definitions", lambda: other)
        assert "other" in refused(capsys, "queues")
        kombu.Queue("other", channel=connection.channel()).delete()


@pytest.mark.parametrize("words", [[], ["keys"], ["queues", "aws"]])
def test_a_wrong_call_is_told_the_right_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert "queues or aws" in capsys.readouterr().err
