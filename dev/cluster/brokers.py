"""RabbitMQ on three hosts as one cluster, whose quorum queues have a member on each."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dev import rabbitmq
from dev.cluster import plan
from dev.cluster.hosts import Host
from dev.errors import Failed
from dev.topology import declare_topology, definitions

# Seconds after which a node that says nothing is taken for lost.
NET_TICKTIME = 15
# On two cores: one scheduler a node, which sleeps when there is nothing to do. And RabbitMQ decides
# about partitions, not Erlang 25 too: a node that had lost its network never started again.
ERLANG = (
    "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel prevent_overlapping_partitions false"
)
HEALTHY_SECONDS = 120


class Brokers:
    """`hosts`: those of plan.DATABASES."""

    def __init__(self, hosts: Sequence[Host], password: str) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._password = password

    def start(self) -> None:
        """Returns when every queue is there, with three members."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.start_node, self._hosts.values()))
        self.wait_until_healthy(queues=False)
        declare_topology(self.url(plan.DATABASES[0]))
        self.wait_until_healthy()

    def start_node(self, host: Host) -> None:
        data = host.folder / "rabbitmq"
        env = self._environment(host)
        server, epmd = rabbitmq.programs(env["PATH"])
        if not data.exists():
            data.mkdir()
            rabbitmq.configure(data, configuration(), self._password, ["/"])
            # The same on each: who knows it may join.
            cookie = data / ".erlang.cookie"
            cookie.write_text(self._password)
            cookie.chmod(0o400)
        if not _runs(host, "epmd"):
            host.processes.start("epmd", [epmd], env=env)
        node = host.processes.start("rabbitmq", [server], env=env)
        node.wait_until(lambda: rabbitmq.answers(self.url(host.name)), seconds=HEALTHY_SECONDS)

    def stop(self, host: Host) -> None:
        """In good order: its queues go on elsewhere."""
        host.processes.by_name["rabbitmq"].stop()

    def leader(self, queue: str) -> str:
        """The host of its leader."""
        found = next(each for each in self._queues() if each["name"] == queue)
        return str(found["leader"]).partition("@")[2]

    def wait_until_healthy(self, *, queues: bool = True) -> None:
        """Each node runs and each queue has its three members, all online."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < deadline:
            if all(rabbitmq.answers(self.url(name)) for name in self._hosts) and (
                self._nodes_are_complete() and (not queues or not self.incomplete())
            ):
                return
            time.sleep(1)
        raise Failed(f"RabbitMQ's cluster does not come back: {self.incomplete()}")

    def incomplete(self) -> list[str]:
        """Queues without three members that are there, or that are missing."""
        found = {each["name"]: len(each["online"]) for each in self._queues()}
        wanted = [queue["name"] for queue in definitions()["queues"]]
        return [name for name in wanted if found.get(name, 0) < len(self._hosts)]

    def url(self, host: str) -> str:
        return f"amqp://{rabbitmq.USER}:{self._password}@{host}:{plan.AMQP}/%2F"

    def _nodes_are_complete(self) -> bool:
        nodes = self._ask("cluster_status")["running_nodes"]
        return len(nodes) == len(self._hosts)

    def _queues(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("list_queues", "name", "leader", "online")
        return found

    def _ask(self, *words: str) -> Any:
        """Of the first node that answers."""
        for host in self._hosts.values():
            env = self._environment(host)
            ctl = rabbitmq.programs(env["PATH"])[0].with_name("rabbitmqctl")
            try:
                return json.loads(host.run([ctl, "--silent", "--formatter=json", *words], env))
            except (Failed, ValueError):
                continue
        raise Failed("No node of RabbitMQ answers.")

    def _environment(self, host: Host) -> dict[str, str]:
        return {
            **rabbitmq.private_environment(host.folder / "rabbitmq"),
            "RABBITMQ_NODENAME": node(host.name),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
        }


def node(host: str) -> str:
    return f"rabbit@{host}"


def configuration() -> str:
    """rabbitmq.conf, the same on each node."""
    lines = {
        "listeners.tcp.default": plan.AMQP,
        "cluster_formation.peer_discovery_backend": "classic_config",
        **{
            f"cluster_formation.classic_config.nodes.{number}": node(host)
            for number, host in enumerate(plan.DATABASES, 1)
        },
        # Who doesn't see most of the others does nothing until they are back.
        "cluster_partition_handling": "pause_minority",
        "net_ticktime": NET_TICKTIME,
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def _runs(host: Host, name: str) -> bool:
    process = host.processes.by_name.get(name)
    return process is not None and process.exit_code is None
