"""For tests: a whole stack of their own, on the backing services that `make test` has started."""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dev import postgres, rabbitmq, settings, topology
from dev.aws import answers, prepare_aws
from dev.migrated import copy_migrated
from dev.paths import TOOLS
from dev.ports import HOST, Port, adjacent_ports
from dev.processes import KILL_BOUND, Process, Processes
from dev.stack import SERVICES, Stack
from dev.steps import together


@contextmanager
def stack_for_tests(*, forked: bool = False, **backing: str) -> Iterator[Stack]:
    """Serves and reads its queues already. Its database, queues and table are empty.

    `forked`: as `make run` runs it, and not each role as a process of its own.
    `backing`: the URLs of backing services that are theirs alone. The PostgreSQL of a DATABASE_URL
    has a migrated database to copy. All stacks without an AMQP_URL share the vhost `stack`, one at
    a time.
    """
    name = f"stack_{uuid.uuid4().hex[:8]}"
    core_port, stats_port = Port(), Port()
    server = backing.pop("DATABASE_URL", os.environ["DATABASE_URL"])
    core_url = f"http://localhost:{core_port.number}"
    env = {
        **os.environ,
        "DATABASE_URL": postgres.at_database(server, name),
        "AMQP_URL": rabbitmq.at_vhost(os.environ["AMQP_URL"], "stack"),
        "STATISTICS_TABLE": name,
        # Tests of the core empty the common one.
        "EXPORT_BUCKET": name.replace("_", "-"),
        # One person may make all the pages of a module of tests.
        "PAGES_PER_USER": "10000",
        "CORE_URL": core_url,
        "JWKS_URL": f"{core_url}/.well-known/jwks.json",
        "STATISTICS_URL": f"http://localhost:{stats_port.number}",
        **backing,
    }
    # What pytest has for itself; the processes know it, as in `make run`.
    env.pop("DJANGO_SETTINGS_MODULE", None)
    maintenance = postgres.at_database(server, "postgres")
    postgres.create_database(maintenance, name, template=os.environ["TEST_DATABASE_TEMPLATE"])
    prepare_aws(env)
    topology.purge(env["AMQP_URL"])
    logs = Path(os.environ["TEST_LOGS"]) / name
    # Its own, which it may rotate.
    logs.mkdir(parents=True)
    env["SIGNING_KEYS_FILE"] = shutil.copy(env["SIGNING_KEYS_FILE"], str(logs))
    stack = Stack(
        env,
        core_port=core_port,
        stats_port=stats_port,
        metrics_ports={
            role: port
            for roles in SERVICES.values()
            for role, port in zip(roles, adjacent_ports(0, len(roles)), strict=True)
        },
        logs=logs,
        forked=forked,
    )
    try:
        stack.start()
        stack.wait_until_ready()
        yield stack
    finally:
        stack.stop()
        postgres.drop_database(maintenance, name)


class BackingServices:
    """PostgreSQL, RabbitMQ and a proxy to AWS that are there to be killed."""

    def __init__(self, folder: Path) -> None:
        self.processes = Processes(folder / "logs")
        self._folder = folder
        self._proxy = Port()
        self._password = settings.remembered(TOOLS / "password")
        self._ports = {name: Port() for name in ("postgres", "amqp", "erlang", "epmd")}
        self.database_url = postgres.url(self._ports["postgres"], self._password)
        self.amqp_url = rabbitmq.url(self._ports["amqp"], self._password)
        self.aws_url = f"http://{HOST}:{self._proxy.number}"

    def start(self) -> None:
        together(self.processes, self._start_postgres, self._start_rabbitmq, self._start_proxy)

    def kill(self, name: str) -> None:
        """SIGKILL to `postgres`, `rabbitmq` or `proxy`."""
        kill(self.processes.by_name[name])

    def _start_postgres(self) -> None:
        data = self._folder / "postgres"
        copy_migrated(data, self._password, os.environ)
        postgres.start_postgres(
            self.processes, data, self._ports["postgres"], self._password, postgres.KILLABLE
        )

    def _start_rabbitmq(self) -> None:
        rabbitmq.start_rabbitmq(
            self.processes, self._folder / "rabbitmq", self._ports, self._password, ["/"]
        )
        topology.declare_topology(self.amqp_url)

    def _start_proxy(self) -> None:
        target = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
        proxy = [sys.executable, "-m", "dev.tcp_proxy", str(self._proxy.release()), target]
        self.processes.start("proxy", proxy, env=os.environ)
        self.wait_for("proxy")

    def start_again(self, name: str) -> None:
        """Returns at once."""
        self.processes.by_name[name].start()

    def is_up(self, name: str) -> bool:
        if name == "postgres":
            return postgres.answers(self.database_url)
        if name == "rabbitmq":
            return rabbitmq.answers(self.amqp_url)
        return answers(f"{self.aws_url}/_ministack/health")

    def wait_for(self, name: str) -> None:
        self.processes.by_name[name].wait_until(lambda: self.is_up(name), seconds=90)


def kill(process: Process) -> None:
    """SIGKILL to a process, and to all that it has begun; returns when they are gone."""
    # PostgreSQL's own lead sessions of their own.
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    # They share its memory, without which it starts anew.
    psutil.wait_procs(children, timeout=KILL_BOUND)


@contextmanager
def breakable_stack_for_tests() -> Iterator[tuple[Stack, BackingServices]]:
    """A stack on backing services that may be killed without harm to other tests."""
    folder = Path(os.environ["TEST_LOGS"]).parent / f"parts_{uuid.uuid4().hex[:8]}"
    backing = BackingServices(folder)
    try:
        backing.start()
        with stack_for_tests(
            DATABASE_URL=backing.database_url,
            AMQP_URL=backing.amqp_url,
            AWS_ENDPOINT_URL=backing.aws_url,
        ) as stack:
            yield stack, backing
    finally:
        backing.processes.stop()
