"""For tests: a whole house of their own, on the parts that `make test` has started."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import postgres, rabbitmq, topology
from dev.aws import answers, prepare_aws
from dev.house import MEASURED, House
from dev.ports import HOST, Port
from dev.processes import Processes


@contextmanager
def house_for_tests(**parts: str) -> Iterator[House]:
    """Serves and reads its queues already. Its database, queues and table are empty.

    All houses share the vhost `house`, one at a time, but for those that are given an AMQP_URL
    among `parts`, the addresses of parts that are theirs alone.
    """
    name = f"house_{uuid.uuid4().hex[:8]}"
    core_port, stats_port = Port(), Port()
    server = os.environ["DATABASE_URL"]
    core_url = f"http://localhost:{core_port.number}"
    env = {
        **os.environ,
        "DATABASE_URL": postgres.at_database(server, name),
        "AMQP_URL": rabbitmq.at_vhost(os.environ["AMQP_URL"], "house"),
        "STATISTICS_TABLE": name,
        "CORE_URL": core_url,
        "JWKS_URL": f"{core_url}/.well-known/jwks.json",
        "STATISTICS_URL": f"http://localhost:{stats_port.number}",
        **parts,
    }
    maintenance = postgres.at_database(server, "postgres")
    postgres.create_database(maintenance, name, template=os.environ["TEST_DATABASE_TEMPLATE"])
    prepare_aws(env)
    topology.purge(env["AMQP_URL"])
    logs = Path(os.environ["TEST_LOGS"]) / name
    house = House(
        env,
        core_port=core_port,
        stats_port=stats_port,
        metrics_ports={name: Port() for name in MEASURED},
        logs=logs,
    )
    try:
        house.start()
        house.wait_until_ready()
        yield house
    finally:
        house.stop()
        postgres.drop_database(maintenance, name)


class Parts:
    """A broker, and a road to AWS, that are there to be killed."""

    def __init__(self, folder: Path) -> None:
        self.processes = Processes(folder / "logs")
        self._folder = folder
        self._road = Port()
        self._password = "password"  # of a broker that a test has to itself
        self._ports = {name: Port() for name in ("amqp", "erlang", "epmd")}
        self.amqp_url = rabbitmq.url(self._ports["amqp"], self._password)
        self.aws_url = f"http://{HOST}:{self._road.number}"

    def start(self) -> None:
        rabbitmq.start_rabbitmq(
            self.processes, self._folder / "rabbitmq", self._ports, self._password, ["/"]
        )
        topology.declare_topology(self.amqp_url)
        address = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
        road = [sys.executable, "-m", "dev.road", str(self._road.release()), address]
        self.processes.start("road", road, env=os.environ)
        self.wait_for("road")

    def kill(self, name: str) -> None:
        """SIGKILL to `rabbitmq` or `road`."""
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
def breakable_house_for_tests() -> Iterator[tuple[House, Parts]]:
    """A house on parts that may be killed without harm to other tests."""
    folder = Path(os.environ["TEST_LOGS"]).parent / f"parts_{uuid.uuid4().hex[:8]}"
    parts = Parts(folder)
    try:
        parts.start()
        with house_for_tests(AMQP_URL=parts.amqp_url, AWS_ENDPOINT_URL=parts.aws_url) as house:
            yield house, parts
    finally:
        parts.processes.stop()
