"""For tests: a whole house of their own, on the parts that `make test` has started."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import postgres, rabbitmq, topology
from dev.aws import prepare_aws
from dev.house import MEASURED, House
from dev.ports import Port


@contextmanager
def house_for_tests() -> Iterator[House]:
    """Serves and reads its queues already. Its database, queues and table are empty.

    All houses share the vhost `house`: one at a time.
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
