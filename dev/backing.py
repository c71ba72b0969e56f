"""PostgreSQL, RabbitMQ and AWS: the embedded ones, but for those that the user brings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import aws, postgres, rabbitmq
from dev.ports import Port
from dev.processes import Processes

# The word for AWS itself: no emulator, no endpoint URL.
NO_ENDPOINT = "none"
PORTS = ["postgres", "amqp", "erlang", "epmd", "aws"]


class BackingServices:
    """Their URLs are known from the beginning; each start returns when the service answers."""

    def __init__(
        self,
        processes: Processes,
        data: Path,
        *,
        given: Mapping[str, str],
        ports: dict[str, Port],
        password: str,
        vhosts: Sequence[str] = ("/",),
        postgres_options: dict[str, str] | None = None,
    ) -> None:
        self._processes = processes
        self._data = data
        self._given = given
        self._ports = ports
        self._password = password
        self._vhosts = vhosts
        self._postgres_options = postgres_options or {}
        endpoint = given.get("AWS_ENDPOINT_URL", aws.url(ports["aws"]))
        self.aws_endpoint_url = None if endpoint == NO_ENDPOINT else endpoint
        self.amqp_url = given.get("AMQP_URL", rabbitmq.url(ports["amqp"], password))
        self.postgres_is_embedded = "DATABASE_URL" not in given
        self.database_url = given.get("DATABASE_URL", postgres.url(ports["postgres"], password))

    def start_postgres(self) -> None:
        if self.postgres_is_embedded:
            postgres.start_postgres(
                self._processes,
                self._data / "postgres",
                self._ports["postgres"],
                self._password,
                self._postgres_options,
            )

    def start_rabbitmq(self) -> None:
        if "AMQP_URL" not in self._given:
            rabbitmq.start_rabbitmq(
                self._processes,
                self._data / "rabbitmq",
                self._ports,
                self._password,
                self._vhosts,
            )

    def start_aws(self) -> None:
        if "AWS_ENDPOINT_URL" not in self._given:
            aws.start_aws(self._processes, self._data / "aws", self._ports["aws"])
