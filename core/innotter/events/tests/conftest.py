from collections.abc import Iterator

import pytest
from django.conf import settings
from kombu import Connection, Queue

from innotter_contracts.events import DEAD, QUEUES


@pytest.fixture
def amqp_url(worker_id: str) -> str:
    """The broker, at a vhost that belongs to this worker of pytest."""
    server: str = settings.AMQP_URL.rpartition("/")[0]
    return f"{server}/{'%2F' if worker_id == 'master' else worker_id}"


@pytest.fixture
def broker(amqp_url: str) -> Iterator[Connection]:
    """A connection of the test's own, which confirms what is published; the queues begin empty."""
    with Connection(amqp_url, transport_options={"confirm_publish": True}) as connection:
        for queue in QUEUES:
            for name in (queue, queue + DEAD):
                Queue(name, channel=connection.default_channel).purge()
        yield connection
