"""The real services: DynamoDB and RabbitMQ (dev/on_demand.py).

Each worker of pytest-xdist has a table of its own and a vhost with its own name.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import kombu
import pytest
from fastapi import FastAPI

from dev.rabbitmq import at_vhost
from innotter_contracts.events import EXCHANGE, STATS_QUEUE, Event
from innotter_contracts.ids import new_id
from innotter_contracts.tests.signing import Signer
from innotter_stats.store import Store, create_client, create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Headers = Mapping[str, str | bytes] | list[tuple[str, str]]

DEAD_QUEUE = f"{STATS_QUEUE}.dead"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """configure_logs() takes over the whole process; the next test starts without that."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


# --- DynamoDB


@pytest.fixture(scope="session")
def dynamodb(aws: None) -> "DynamoDBClient":
    return create_client()


@pytest.fixture(scope="session")
def table(dynamodb: "DynamoDBClient") -> Iterator[str]:
    name = f"test-{new_id()}"
    create_table(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture(scope="session")
def store(dynamodb: "DynamoDBClient", table: str) -> Store:
    return Store(dynamodb, table)


# --- RabbitMQ


class Broker:
    def __init__(self, url: str) -> None:
        self.url = url

    def publish(self, *bodies: Event | bytes) -> None:
        """Returns when the broker has them: an empty queue is then one that was emptied."""
        confirmed = {"confirm_publish": True}
        with kombu.Connection(self.url, transport_options=confirmed) as connection:
            producer = connection.Producer(exchange=kombu.Exchange(EXCHANGE, no_declare=True))
            for body in bodies:
                producer.publish(
                    body if isinstance(body, bytes) else body.model_dump_json(),
                    routing_key="unknown" if isinstance(body, bytes) else body.type,
                    content_type="application/json",
                    content_encoding="utf-8",
                )

    def waiting(self, queue: str = STATS_QUEUE) -> int:
        """Messages that no consumer has been given."""
        with kombu.Connection(self.url) as connection:
            answer: Any = self._queue(connection, queue).queue_declare(passive=True)
            return int(answer.message_count)

    def dead(self) -> list[bytes]:
        """Takes what lies in the dead-letter queue."""
        return self.take(DEAD_QUEUE)

    def take(self, queue: str = STATS_QUEUE) -> list[bytes]:
        bodies: list[bytes] = []
        with kombu.Connection(self.url) as connection:
            while message := self._queue(connection, queue).get(no_ack=True):
                body: Any = message.body
                bodies.append(body.encode() if isinstance(body, str) else body)
        return bodies

    def purge(self) -> None:
        with kombu.Connection(self.url) as connection:
            for name in (STATS_QUEUE, DEAD_QUEUE):
                self._queue(connection, name).purge()

    def _queue(self, connection: kombu.Connection, name: str) -> kombu.Queue:
        return kombu.Queue(name, channel=connection.default_channel)


@pytest.fixture
def broker(rabbitmq: str, worker_id: str) -> Iterator[Broker]:
    broker = Broker(rabbitmq if worker_id == "master" else at_vhost(rabbitmq, worker_id))
    broker.purge()
    yield broker
    broker.purge()


# --- The core, as far as this service knows it


class Core:
    """Serves a JWKS, and counts how often it is asked."""

    def __init__(self) -> None:
        self.signer = Signer()
        self.answer: Any = self.signer.jwks
        self.asked = 0
        self.url = ""

    def rotate(self, signer: Signer) -> None:
        self.answer = signer.jwks


@contextmanager
def _serving(core: Core) -> Iterator[Core]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            core.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(core.answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    core.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield core
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def core() -> Iterator[Core]:
    with _serving(Core()) as core:
        yield core


# --- The API, without a network


class Client:
    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        )

    def request(self, method: str, url: str, headers: Headers | None = None) -> httpx.Response:
        return self._runner.run(
            self._http.request(method, url, headers=headers)  # type: ignore[arg-type]
        )

    def head(self, url: str, headers: Headers | None = None) -> httpx.Response:
        return self.request("HEAD", url, headers)

    def get(self, url: str, headers: Headers | None = None) -> httpx.Response:
        return self._runner.run(self._http.get(url, headers=headers))  # type: ignore[arg-type]

    def post(self, url: str, headers: dict[str, str]) -> httpx.Response:
        return self._runner.run(self._http.post(url, headers=headers))


@contextmanager
def serving(app: FastAPI) -> Iterator[Client]:
    """The app as a server runs it: started, asked, and ended."""
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        try:
            yield Client(app, runner)
        finally:
            runner.run(lifespan.__aexit__(None, None, None))
