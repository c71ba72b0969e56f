"""What is lost in turn, and comes back. Each returns when everything is there again."""

import time
from collections.abc import Callable, Mapping

from dev.cluster.application import Application
from dev.cluster.brokers import Brokers
from dev.cluster.databases import Databases
from dev.cluster.hosts import Host
from innotter_contracts.events import MAIL_QUEUE

# Seconds for which each is away; a host for longer than its replacement may take.
HOST_AWAY, BROKER_AWAY, APPLICATION_AWAY, NETWORK_AWAY = 50, 20, 30, 30
# In their order.
NAMES = ("primary", "broker", "application", "network", "update")


class Losses:
    """`hosts`: all, by name."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        databases: Databases,
        brokers: Brokers,
        application: Application,
    ) -> None:
        self._hosts = hosts
        self._databases = databases
        self._brokers = brokers
        self._application = application

    def named(self, name: str) -> tuple[str, Callable[[], None]]:
        """What it is in a report, and how it is done."""
        return {
            "primary": ("the primary's host", self.primary_host),
            "broker": ("a RabbitMQ leader", self.broker),
            "application": ("an application host", self.application_host),
            "network": ("the primary's network, 30 s", self.network),
            "update": ("all in turn, for an update", self.update),
        }[name]

    def primary_host(self) -> None:
        """PostgreSQL's primary with its etcd and its node of RabbitMQ, without a word."""
        host = self._hosts[self._databases.primary()]
        host.lose()
        time.sleep(HOST_AWAY)
        host.connect()
        self._databases.start_etcd(host)
        self._databases.start_patroni(host)
        self._brokers.start_node(host)
        self._wait_until_healthy()

    def broker(self) -> None:
        """The node that leads the queue of mail is killed."""
        host = self._hosts[self._brokers.leader(MAIL_QUEUE)]
        host.processes.by_name["rabbitmq"].kill()
        time.sleep(BROKER_AWAY)
        self._brokers.start_node(host)
        self._brokers.wait_until_healthy()

    def application_host(self) -> None:
        """Without a word, and with the scheduler if the lease is there."""
        host = self._application.hosts[0]
        host.lose()
        time.sleep(APPLICATION_AWAY)
        host.connect()
        self._application.start_host(host)
        self._application.wait_until_ready()

    def network(self) -> None:
        """The primary's host goes on, alone."""
        host = self._hosts[self._databases.primary()]
        host.disconnect()
        time.sleep(NETWORK_AWAY)
        host.connect()
        self._wait_until_healthy()

    def update(self) -> None:
        """Everything is stopped in good order and started again, a host at a time."""
        primary = self._databases.primary()
        for name in (*(name for name in self._databases.names if name != primary), primary):
            if name == primary:
                self._databases.switch_over()
            self._update_database(self._hosts[name])
        for host in self._application.hosts:
            self._application.stop(host)
            self._application.start_host(host)
            self._application.wait_until_ready()

    def _update_database(self, host: Host) -> None:
        self._brokers.stop(host)
        self._databases.stop(host)
        self._databases.start_etcd(host)
        self._databases.start_patroni(host)
        self._brokers.start_node(host)
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        self._databases.wait_until_healthy()
        self._brokers.wait_until_healthy()
