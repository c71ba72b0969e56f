"""Declares what deploy/rabbitmq/definitions.json says, in the vhost of a URL."""

import json
from typing import Any

import kombu
from kombu.exceptions import OperationalError

from dev.errors import Failed
from dev.paths import ROOT
from innotter_contracts.settings import amqp_url as checked

DEFINITIONS = ROOT / "deploy" / "rabbitmq" / "definitions.json"


def definitions() -> Any:
    """What the file holds."""
    return json.loads(DEFINITIONS.read_text())


def declare_topology(amqp_url: str, wanted: Any = None) -> None:
    """`wanted`: definitions other than those of the file. Changes nothing when all of it is there
    already. Raises Failed when nobody answers."""
    try:
        _declare(checked(amqp_url), wanted or definitions())
    except OperationalError as error:
        raise Failed(f"RabbitMQ at AMQP_URL does not answer: {error}") from None


def _declare(amqp_url: str, wanted: Any) -> None:
    with kombu.Connection(amqp_url) as connection:
        channel = connection.ensure_connection(max_retries=2).default_channel
        for exchange in wanted["exchanges"]:
            kombu.Exchange(
                exchange["name"],
                exchange["type"],
                channel,
                durable=exchange["durable"],
                auto_delete=exchange["auto_delete"],
                arguments=exchange["arguments"],
            ).declare()
        for queue in wanted["queues"]:
            kombu.Queue(
                queue["name"],
                channel=channel,
                durable=queue["durable"],
                auto_delete=queue["auto_delete"],
                queue_arguments=queue["arguments"],
            ).queue_declare()
        for binding in wanted["bindings"]:
            kombu.Queue(binding["destination"], channel=channel).bind_to(
                binding["source"], binding["routing_key"], binding["arguments"]
            )


def consumers(amqp_url: str, queue: str) -> int:
    """How many programs read that queue now."""
    return int(_look_at(amqp_url, queue).consumer_count)


def waiting(amqp_url: str, queue: str) -> int:
    """How many messages lie there that no reader has been given."""
    return int(_look_at(amqp_url, queue).message_count)


def purge(amqp_url: str) -> None:
    """Empties every queue."""
    with kombu.Connection(amqp_url) as connection:
        for queue in definitions()["queues"]:
            kombu.Queue(queue["name"], channel=connection.default_channel).purge()


def _look_at(amqp_url: str, queue: str) -> Any:
    with kombu.Connection(amqp_url) as connection:
        return kombu.Queue(queue, channel=connection.default_channel).queue_declare(passive=True)
