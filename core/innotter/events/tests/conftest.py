from collections.abc import Iterator

import pytest
from kombu import Connection, Queue

from dev.rabbitmq import at_vhost
from innotter_contracts.events import DEAD, QUEUES


@pytest.fixture
def amqp_url(rabbitmq: str, worker_id: str) -> str:
    """The broker, at a vhost that belongs to this worker of pytest."""
    return rabbitmq if worker_id == "master" else at_vhost(rabbitmq, worker_id)


@pytest.fixture
def broker(amqp_url: str) -> Iterator[Connection]:
    """A connection of the test's own, which confirms what is published; the queues begin empty."""
    with Connection(amqp_url, transport_options={"confirm_publish": True}) as connection:
        for queue in QUEUES:
            for name in (queue, queue + DEAD):
                Queue(name, channel=connection.default_channel).purge()
        yield connection
