"""Backing services that are thrown away afterwards: of tests, of measurements, of screenshots."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from dev import postgres, settings
from dev.aws import prepare_aws
from dev.backing import PORTS, BackingServices
from dev.errors import Failed
from dev.locks import locked
from dev.migrated import copy_migrated
from dev.paths import DATA, TOOLS
from dev.ports import Port
from dev.processes import Processes
from dev.rabbitmq import at_vhost
from dev.steps import step
from dev.topology import declare_topology
from innotter.accounts.keys import create_signing_keys

# One for the whole stack and one for that of forked roles, which may run beside it; one for each
# worker of pytest that may be asked for.
VHOSTS = ["/", "stack", "forked", "gw0", "gw1", "gw2", "gw3"]


class TemporaryServices:
    """None of them runs yet, but their URLs are known and their ports are held: `env` is the whole
    environment of a process that uses them."""

    def __init__(self, folder: Path, postgres_options: Mapping[str, str]) -> None:
        self._folder = folder
        self._password = settings.remembered(TOOLS / "password")
        self._processes = Processes(folder / "logs")
        self._backing = BackingServices(
            self._processes,
            folder,
            given={},
            ports={name: Port(silent=True) for name in PORTS},
            password=self._password,
            vhosts=VHOSTS,
            postgres_options=dict(postgres_options),
        )
        own = settings.defaults(
            secrets_folder=folder / "secrets",
            core_url="http://localhost:8000",
            stats_url="http://localhost:8001",
        )
        create_signing_keys(Path(own["SIGNING_KEYS_FILE"]), prefix="development-")
        tests = {
            "INNOTTER_ENV": "test",
            # For a copy of the migrated database; see dev/testing.py.
            "TEST_DATABASE_TEMPLATE": postgres.DATABASE,
            "TEST_LOGS": str(folder / "logs"),
        }
        environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        self.env = settings.with_backing({**environment, **own, **tests}, self._backing)
        self._services: dict[str, Callable[[], None]] = {
            "postgres": self._start_postgres,
            "rabbitmq": self._start_rabbitmq,
            "aws": self._start_aws,
        }
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(len(self._services))
        self._started: dict[str, Future[None]] = {}

    def start(self, *names: str) -> None:
        """`postgres`, `rabbitmq`, `aws`; all without a name. Returns when they are ready. May be
        asked again, and by several at once. Raises Failed."""
        for future in [self.begin(name) for name in names or self._services]:
            future.result()

    def begin(self, name: str) -> Future[None]:
        """Does not wait."""
        with self._lock:
            if name not in self._started:
                self._started[name] = self._pool.submit(self._services[name])
            return self._started[name]

    def begin_all(self) -> None:
        for name in self._services:
            self.begin(name)

    def stop(self) -> None:
        self._processes.stop()
        self._pool.shutdown()

    def _start_postgres(self) -> None:
        with step("PostgreSQL"):
            copy_migrated(self._folder / "postgres", self._password, self.env)
            self._backing.start_postgres()

    def _start_rabbitmq(self) -> None:
        with step("RabbitMQ"):
            self._backing.start_rabbitmq()
        with step("Queues"):
            for vhost in VHOSTS[1:]:
                declare_topology(at_vhost(self._backing.amqp_url, vhost))
            declare_topology(self._backing.amqp_url)

    def _start_aws(self) -> None:
        with step("AWS emulator"):
            self._backing.start_aws()
        with step("Bucket, sender, table"):
            prepare_aws(self.env)


@contextmanager
def temporary_services(postgres_options: Mapping[str, str]) -> Iterator[TemporaryServices]:
    """They and their data are gone at the end. A folder that a killed run has left goes at the
    beginning of the next."""
    DATA.mkdir(exist_ok=True)
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=DATA))
    with locked(folder / "lock", busy="Another run is in this folder."):
        services = TemporaryServices(folder, postgres_options)
        try:
            yield services
        finally:
            services.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """A run that lives holds the lock of its own folder."""
    for folder in DATA.glob("test-*"):
        try:
            with locked(folder / "lock", busy=""):
                shutil.rmtree(folder, ignore_errors=True)
        except Failed:
            pass
