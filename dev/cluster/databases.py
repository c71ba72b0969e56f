"""PostgreSQL on three hosts: Patroni keeps one of them primary, elected in etcd."""

import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from dev import tools
from dev.cluster import plan
from dev.cluster.hosts import Host
from dev.errors import Failed
from dev.postgres import BINARIES, DATABASE, USER, create_database, unprivileged

# A primary that nobody hears of for so many seconds is replaced.
TTL = 20
CLUSTER = "innotter"
# On two cores beside everything else: who is only slow must not lose an election.
HEARTBEAT_MS, ELECTION_MS = 500, 5_000
HEALTHY_SECONDS = 120


class Databases:
    """`hosts`: those of plan.DATABASES."""

    def __init__(self, hosts: Sequence[Host], password: str) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._password = password
        self.names = list(self._hosts)

    def start(self) -> None:
        """Returns when all three are there and the database of Innotter is."""
        for host in self._hosts.values():
            self.start_etcd(host)
        for host in self._hosts.values():
            self.start_patroni(host)
        self.wait_until_healthy()
        server = f"postgresql://{USER}:{self._password}@{self.primary()}:{plan.DATABASE}/postgres"
        create_database(server, DATABASE)

    def start_etcd(self, host: Host) -> None:
        url = f"http://{host.address}"
        peers = [f"{name}=http://{plan.address(name)}:2380" for name in self._hosts]
        command: list[str | Path] = [
            *(tools.etcd(), "--name", host.name, "--data-dir", host.folder / "etcd"),
            *("--listen-client-urls", f"{url}:{plan.ETCD}"),
            *("--advertise-client-urls", f"{url}:{plan.ETCD}"),
            *("--listen-peer-urls", f"{url}:2380", "--initial-advertise-peer-urls", f"{url}:2380"),
            *("--initial-cluster", ",".join(peers)),
            *("--heartbeat-interval", str(HEARTBEAT_MS), "--election-timeout", str(ELECTION_MS)),
            # Who comes back from where nobody heard it doesn't make the others elect anew.
            "--pre-vote",
        ]
        host.processes.start("etcd", command, env=dict(os.environ))

    def start_patroni(self, host: Host) -> None:
        file = host.folder / "patroni.json"
        text = json.dumps(patroni(host.name, str(host.folder / "postgres"), self._password))
        file.write_text(text)
        env = {**os.environ, "HOME": str(host.folder)}
        # PostgreSQL refuses root, and Patroni starts it.
        host.processes.start("patroni", [*unprivileged(), tools.patroni(), file], env=env)

    def stop(self, host: Host) -> None:
        """In good order: Patroni ends PostgreSQL with itself."""
        for name in ("patroni", "etcd"):
            host.processes.by_name[name].stop()

    def switch_over(self) -> None:
        """A standby takes over before the primary is stopped."""
        primary = self.primary()
        standby = next(name for name, role in self.roles().items() if role == "sync_standby")
        asked = {"leader": primary, "candidate": standby}
        url = f"http://{primary}:{plan.PATRONI}/switchover"
        httpx.post(url, json=asked, timeout=60).raise_for_status()
        self.wait_until_healthy()

    def primary(self) -> str:
        """The name of its host."""
        return next(name for name, role in self.roles().items() if role == "leader")

    def roles(self) -> dict[str, str]:
        """What each host that runs is to Patroni: `leader`, `sync_standby`, `replica`; nothing
        where nobody knows."""
        for name in self._hosts:
            try:
                answer = httpx.get(f"http://{name}:{plan.PATRONI}/cluster", timeout=2)
                return _running(answer.json()["members"])
            except (httpx.HTTPError, ValueError, KeyError):
                continue
        return {}

    def wait_until_healthy(self) -> None:
        """One primary, one standby that each commit waits for, and another."""
        healthy = ["leader", "replica", "sync_standby"]
        deadline = time.monotonic() + HEALTHY_SECONDS
        while sorted(self.roles().values()) != healthy or not self.takes_writes():
            if time.monotonic() > deadline:
                raise Failed(f"PostgreSQL's cluster does not come back: {self.roles()}")
            time.sleep(0.5)

    def takes_writes(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
                connection.execute("SET statement_timeout = '2s'")
                connection.execute("SELECT pg_current_xact_id()")
        except psycopg.Error:
            return False
        return True

    def url(self, database: str = DATABASE) -> str:
        """For the supervisor's own questions."""
        return plan.database_url(self._password).replace(f"/{DATABASE}?", f"/{database}?")


def patroni(name: str, data: str, password: str) -> dict[str, Any]:
    """The configuration of the Patroni on that host."""
    address = partial("{}:{}".format, plan.address(name))
    access = {"username": USER, "password": password}
    return {
        "scope": CLUSTER,
        "name": name,
        "restapi": {"listen": address(plan.PATRONI), "connect_address": address(plan.PATRONI)},
        "etcd3": {"hosts": [f"{plan.address(each)}:{plan.ETCD}" for each in plan.DATABASES]},
        "bootstrap": {
            "dcs": {
                "ttl": TTL,
                "loop_wait": 5,
                "retry_timeout": 5,
                # A commit is acknowledged when a standby has it; without one nobody may write.
                "synchronous_mode": True,
                "synchronous_mode_strict": True,
                "synchronous_node_count": 1,
                "postgresql": {"use_pg_rewind": True, "parameters": _PARAMETERS},
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, {"auth": "scram-sha-256"}],
        },
        "postgresql": {
            "listen": address(plan.DATABASE),
            "connect_address": address(plan.DATABASE),
            "bin_dir": str(BINARIES),
            "data_dir": data,
            "pgpass": f"{data}.pgpass",
            "remove_data_directory_on_diverged_timelines": True,
            "pg_hba": [
                f"host all {USER} {plan.NETWORK} scram-sha-256",
                f"host replication {USER} {plan.NETWORK} scram-sha-256",
            ],
            "authentication": {"superuser": access, "replication": access},
        },
    }


_PARAMETERS = {
    "max_connections": 100,
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    # Of connections and standbys that are silent.
    "tcp_user_timeout": 10_000,
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "wal_retrieve_retry_interval": "1s",
}


def _running(members: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {
        member["name"]: member["role"]
        for member in members
        if member.get("state") in ("running", "streaming")
    }
