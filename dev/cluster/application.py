"""Innotter itself on two hosts, the gateway before them, and the emulator of AWS aside."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from dev import aws, settings, tools
from dev.cluster import plan
from dev.cluster.hosts import Host
from dev.gateway import CADDYFILE
from dev.ports import Port
from dev.processes import Processes
from dev.stack import SERVICES, command, manage
from innotter.accounts.keys import create_signing_keys

READY_SECONDS = 120
# What the gateway's file says more where a service is on several hosts: one that is silent is left
# out until it answers. Whether a host is `ready` is no question for it: without a database none is,
# and each says so by itself.
PROBES = """\
		lb_policy least_conn
		health_uri /health/live
		health_interval 2s
		health_timeout 3s
		lb_try_duration"""


def environment(folder: Path, password: str) -> dict[str, str]:
    """Of both services on every host; the keys that sign tokens are made."""
    own = settings.defaults(
        secrets_folder=folder / "secrets",
        core_url=plan.PUBLIC_URL,
        stats_url=plan.PUBLIC_URL,
    )
    create_signing_keys(Path(own["SIGNING_KEYS_FILE"]), prefix="development-")
    names = (plan.GATEWAY, *plan.APPLICATIONS, "localhost", "127.0.0.1")
    return {
        **{name: value for name, value in os.environ.items() if name[:4] != "AWS_"},
        **own,
        "LOG_STYLE": "json",
        "DATABASE_URL": plan.database_url(password),
        "DATABASE_REPLICA_URLS": plan.replica_urls(password),
        "AMQP_URL": plan.amqp_url(password),
        "AWS_ENDPOINT_URL": f"http://{plan.OUTSIDE}:{plan.AWS}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "STATISTICS_INTERNAL_URL": f"http://127.0.0.1:{plan.STATS}",
        "ALLOWED_HOSTS": ",".join([*names, *map(plan.address, plan.APPLICATIONS)]),
        # The gateway.
        "TRUSTED_PROXIES": "1",
        "FORWARDED_ALLOW_IPS": "*",
        "EMAIL_CONFIRMATION": "off",
    }


class Application:
    """`hosts`: those of plan.APPLICATIONS."""

    def __init__(self, hosts: Sequence[Host], gateway: Host, env: Mapping[str, str]) -> None:
        self.hosts = hosts
        self._gateway = gateway
        self._env = env

    def start(self, processes: Processes) -> None:
        processes.run("migrate", manage("migrate"), env=self._env, seconds=300)
        for host in self.hosts:
            self.start_host(host)
        self.start_gateway()
        self.wait_until_ready()

    def start_host(self, host: Host) -> None:
        for name, port in (("core", plan.CORE), ("stats", plan.STATS)):
            words = command(SERVICES[name], {name: port}, host="0.0.0.0")  # noqa: S104 (its namespace's)
            host.processes.start(name, words, env=self._env)

    def start_gateway(self) -> None:
        file = self._gateway.folder / "Caddyfile"
        file.write_text(caddyfile())
        env = {**os.environ, "PUBLIC_URL": plan.PUBLIC_URL, "HOME": str(self._gateway.folder)}
        words: list[str | Path] = [tools.caddy(), "run", "--adapter", "caddyfile", "--config", file]
        self._gateway.processes.start("gateway", words, env=env)

    def stop(self, host: Host) -> None:
        """In good order: what it has begun it finishes."""
        for name in ("core", "stats"):
            host.processes.by_name[name].stop()

    def wait_until_ready(self) -> None:
        for host in self.hosts:
            for service, port in (("core", plan.CORE), ("stats", plan.STATS)):
                url = f"http://{host.name}:{port}/health/ready"
                process = host.processes.by_name[service]
                process.wait_until(partial(aws.answers, url), seconds=READY_SECONDS)
        url = f"{plan.PUBLIC_URL}/health/ready"
        gateway = self._gateway.processes.by_name["gateway"]
        gateway.wait_until(partial(aws.answers, url), seconds=READY_SECONDS)


def start_aws(processes: Processes, folder: Path, env: Mapping[str, str]) -> None:
    """On no host of the cluster: it stands for what is somewhere else, and isn't lost."""
    address = plan.address(plan.OUTSIDE)
    aws.start_aws(processes, folder / "aws", Port(plan.AWS), host=address)
    aws.prepare_aws(env)


def caddyfile() -> str:
    """That of the containers, for services on several hosts."""
    text = CADDYFILE.read_text()
    for theirs, ours in {
        "core:8000": plan.upstreams(plan.CORE),
        "stats:8001": plan.upstreams(plan.STATS),
        "\t\tlb_try_duration": PROBES,
        # A client has gone long before.
        "response_header_timeout 60s": "response_header_timeout 10s",
    }.items():
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return text


def audit(processes: Processes, env: Mapping[str, str]) -> None:
    """Raises Failed, with the differences, unless statistics are what the database says."""
    words = manage("audit_statistics", "--wait", "30")
    processes.run("audit", words, env=env, seconds=180)
