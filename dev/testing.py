"""For tests: a whole stack of their own, on the backing services that `make test` has started."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import postgres, rabbitmq, topology
from dev.aws import answers, prepare_aws
from dev.ports import HOST, Port
from dev.processes import Processes
from dev.stack import MEASURED, Stack


@contextmanager
def stack_for_tests(**backing: str) -> Iterator[Stack]:
    """Serves and reads its queues already. Its database, queues and table are empty.

    All stacks share the vhost `stack`, one at a time, but for those that are given an AMQP_URL
    among `backing`, the URLs of backing services that are theirs alone.
    """
    name = f"stack_{uuid.uuid4().hex[:8]}"
    core_port, stats_port = Port(), Port()
    server = os.environ["DATABASE_URL"]
    core_url = f"http://localhost:{core_port.number}"
    env = {
        **os.environ,
        "DATABASE_URL": postgres.at_database(server, name),
        "AMQP_URL": rabbitmq.at_vhost(os.environ["AMQP_URL"], "stack"),
        "STATISTICS_TABLE": name,
        "CORE_URL": core_url,
        "JWKS_URL": f"{core_url}/.well-known/jwks.json",
        "STATISTICS_URL": f"http://localhost:{stats_port.number}",
        **backing,
    }
    maintenance = postgres.at_database(server, "postgres")
    postgres.create_database(maintenance, name, template=os.environ["TEST_DATABASE_TEMPLATE"])
    prepare_aws(env)
    topology.purge(env["AMQP_URL"])
    logs = Path(os.environ["TEST_LOGS"]) / name
    stack = Stack(
        env,
        core_port=core_port,
        stats_port=stats_port,
        metrics_ports={name: Port() for name in MEASURED},
        logs=logs,
    )
    try:
        stack.start()
        stack.wait_until_ready()
        yield stack
    finally:
        stack.stop()
        postgres.drop_database(maintenance, name)


class BackingServices:
    """A broker, and a proxy to AWS, that are there to be killed."""

    def __init__(self, folder: Path) -> None:
        self.processes = Processes(folder / "logs")
        self._folder = folder
        self._proxy = Port()
        self._password = "password"  # of a broker that a test has to itself
        self._ports = {name: Port() for name in ("amqp", "erlang", "epmd")}
        self.amqp_url = rabbitmq.url(self._ports["amqp"], self._password)
        self.aws_url = f"http://{HOST}:{self._proxy.number}"

    def start(self) -> None:
        rabbitmq.start_rabbitmq(
            self.processes, self._folder / "rabbitmq", self._ports, self._password, ["/"]
        )
        topology.declare_topology(self.amqp_url)
        address = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
        proxy = [sys.executable, "-m", "dev.tcp_proxy", str(self._proxy.release()), address]
        self.processes.start("proxy", proxy, env=os.environ)
        self.wait_for("proxy")

    def kill(self, name: str) -> None:
        """SIGKILL to `rabbitmq` or `proxy`."""
        self.processes.by_name[name].kill()

    def start_again(self, name: str) -> None:
        """Returns at once."""
        self.processes.by_name[name].start()

    def is_up(self, name: str) -> bool:
        if name == "rabbitmq":
            return rabbitmq.answers(self.amqp_url)
        return answers(f"{self.aws_url}/_ministack/health")

    def wait_for(self, name: str) -> None:
        self.processes.by_name[name].wait_until(lambda: self.is_up(name), seconds=90)


@contextmanager
def breakable_stack_for_tests() -> Iterator[tuple[Stack, BackingServices]]:
    """A stack on backing services that may be killed without harm to other tests."""
    folder = Path(os.environ["TEST_LOGS"]).parent / f"parts_{uuid.uuid4().hex[:8]}"
    backing = BackingServices(folder)
    try:
        backing.start()
        with stack_for_tests(AMQP_URL=backing.amqp_url, AWS_ENDPOINT_URL=backing.aws_url) as stack:
            yield stack, backing
    finally:
        backing.processes.stop()
