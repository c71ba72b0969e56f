"""For tests: PostgreSQL, RabbitMQ and AWS, each started when a test first asks for it.

A plugin of pytest, so that `make test`, `python -m pytest` and an editor all run as they come. A
test asks by a fixture: `db` and the like for PostgreSQL, `rabbitmq`, `aws`. The services belong to
the process that a person started; the workers of pytest-xdist, which inherit its environment, ask
it over a socket. Where TEST_DATABASE_TEMPLATE is set already, somebody else has started them all.
"""

import os
import secrets
import signal
from collections.abc import Generator
from contextlib import ExitStack
from multiprocessing.connection import Client, Listener
from threading import Thread
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from dev.temporary import TemporaryServices

# Where a worker asks: a port, and the word that the two know each other by.
ASK = "TEST_SERVICES"


class Owner:
    """The services of this run, and the socket where workers ask for them."""

    def __init__(self) -> None:
        # Workers do without all that this imports, and coverage sees what they import.
        from dev import postgres  # noqa: PLC0415
        from dev.temporary import temporary_services  # noqa: PLC0415

        self._end = ExitStack()
        context = temporary_services(postgres.FORGETFUL)
        self.services: TemporaryServices = self._end.enter_context(context)
        word = secrets.token_bytes(16)
        self._listener = Listener(("127.0.0.1", 0), backlog=16, authkey=word)
        os.environ |= self.services.env
        os.environ[ASK] = f"{self._listener.address[1]} {word.hex()}"
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._listener.close()
        self._end.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: "Connection") -> None:
        with connection:
            try:
                self.services.start(*connection.recv())
                connection.send("")
            except Exception as error:  # noqa: BLE001 # the worker raises it
                connection.send(str(error))


OWNER = pytest.StashKey[Owner]()


def ask(config: pytest.Config, *names: str) -> None:
    """Returns when these services are ready; all of them without a name."""
    if OWNER in config.stash:
        config.stash[OWNER].services.start(*names)
    elif ASK in os.environ:
        port, word = os.environ[ASK].split()
        with Client(("127.0.0.1", int(port)), authkey=bytes.fromhex(word)) as connection:
            connection.send(names)
            if failure := connection.recv():
                pytest.exit(failure)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django imports the settings."""
    if "TEST_DATABASE_TEMPLATE" not in os.environ:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        early_config.stash[OWNER] = Owner()
    return (yield)


def pytest_sessionstart(session: pytest.Session) -> None:
    """A run of everything needs everything: it starts while the tests are collected."""
    config = session.config
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    chosen = config.option.keyword or config.getoption("lf", False) or config.option.collectonly
    if OWNER in config.stash and everything and not chosen:
        config.stash[OWNER].services.begin_all()


def pytest_unconfigure(config: pytest.Config) -> None:
    if OWNER in config.stash:
        config.stash[OWNER].stop()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> None:
    if fixturedef.argname == "django_db_setup":
        ask(request.config, "postgres")


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> str:
    """The URL of a broker that has our queues."""
    ask(request.config, "rabbitmq")
    return os.environ["AMQP_URL"]


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest) -> None:
    """boto3 finds it by the environment, with our bucket, sender and table."""
    ask(request.config, "aws")


@pytest.fixture(scope="session")
def all_services(request: pytest.FixtureRequest) -> None:
    """For whole stacks: see dev/testing.py."""
    ask(request.config)
