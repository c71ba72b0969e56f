"""The whole of it, inside its own namespaces: hosts, what runs on them, load, losses, report."""

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from dev.cluster import plan, report, truth
from dev.cluster.application import Application, audit, environment, start_aws
from dev.cluster.brokers import Brokers
from dev.cluster.databases import Databases
from dev.cluster.hosts import Host, make_network
from dev.cluster.losses import NAMES, Losses
from dev.errors import Failed
from dev.paths import DATA
from dev.processes import Processes
from dev.steps import step, together
from dev.tools import run

FOLDER = DATA / "cluster"
# Kept after the end, until the next time.
LOGS = FOLDER / "logs"
# The hosts' disks, in memory: gone with this process.
DISKS = FOLDER / "disks"
# Seconds before the first loss, and after each.
STEADY, SETTLED = 20, 8
READY_SECONDS = 60


def rehearse(only: Sequence[str]) -> bool:
    """Whether all targets were kept. `only`: losses by name; all without one. Raises Failed."""
    shutil.rmtree(LOGS, ignore_errors=True)
    DISKS.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "tmpfs", str(DISKS)])
    make_network(DISKS)
    rehearsal = _Rehearsal()
    rehearsal.start()
    windows = rehearsal.lose(only)
    return rehearsal.report(windows)


class _Rehearsal:
    def __init__(self) -> None:
        password = secrets.token_hex(16)
        hosts = {name: Host(name, DISKS, LOGS) for name in plan.HOSTS}
        on = [hosts[name] for name in plan.DATABASES]
        self._outside = Processes(LOGS / plan.OUTSIDE)
        self._env = environment(DISKS, password)
        self._databases, self._brokers = Databases(on, password), Brokers(on, password)
        self._application = Application(
            [hosts[name] for name in plan.APPLICATIONS], hosts[plan.GATEWAY], self._env
        )
        self._losses = Losses(hosts, self._databases, self._brokers, self._application)

    def start(self) -> None:
        together(self._outside, self._start_databases, self._start_brokers, self._start_aws)
        with step("Innotter"):
            self._application.start(self._outside)
        with step("Load"):
            command = [sys.executable, "-m", "dev.cluster.load", str(LOGS)]
            load = self._outside.start("load", command, env=self._env)
            load.wait_until((LOGS / "ready").exists, seconds=READY_SECONDS)

    def lose(self, only: Sequence[str]) -> list[report.Window]:
        windows = [_window("nothing", lambda: time.sleep(STEADY))]
        return windows + [_window(*self._losses.named(name)) for name in only or NAMES]

    def report(self, windows: list[report.Window]) -> bool:
        with step("The end of the load"):
            self._outside.by_name["load"].stop()
            written = truth.written(LOGS)
        amqp_url = self._brokers.url(plan.DATABASES[0])
        with step("Rest"):
            owed = truth.wait_until_quiet(self._databases.url(), amqp_url)
        audited = self._audit()
        found = truth.look(self._databases.url())
        mails = truth.mails_in(truth.inbox(self._env["AWS_ENDPOINT_URL"]))
        compared = truth.compare(written, found, mails)
        rows = [report.figures(window, report.read(LOGS / "requests.jsonl")) for window in windows]
        return _print(rows, compared, owed=owed, never=written["never_acknowledged"]) and audited

    def _start_databases(self) -> None:
        with step("PostgreSQL"):
            self._databases.start()

    def _start_brokers(self) -> None:
        with step("RabbitMQ"):
            self._brokers.start()

    def _start_aws(self) -> None:
        with step("AWS emulator"):
            start_aws(self._outside, DISKS, self._env)

    def _audit(self) -> bool:
        try:
            with step("Statistics audited"):
                audit(self._outside, self._env)
        except Failed as error:
            print(error)
            return False
        return True


def _window(what: str, lose: Callable[[], None]) -> report.Window:
    began = time.monotonic()
    with step(what):
        lose()
        time.sleep(SETTLED)
    return report.Window(what, began, time.monotonic())


def _print(
    rows: list[report.Figures], compared: truth.Truth, *, owed: int, never: list[str]
) -> bool:
    """Whether all targets were kept."""
    print(f"\n{report.table(rows)}\n")
    for row in rows:
        print(f"  {row.what}: {row.answers}")
    for name, value in asdict(compared).items():
        print(f"  {name:<16} {len(value) if isinstance(value, list) else value}")
    broken = report.broken_targets(rows)
    for name in ("lost", "doubled", "mails_lost", "mails_doubled"):
        broken += [f"{name}: {line}" for line in getattr(compared, name)]
    broken += [f"never acknowledged: {mark}" for mark in never]
    broken += [f"still owed: {owed}"] if owed else []
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    print(f"  load of the machine in the last 1, 5, 15 minutes: {load}\n")
    print("\n".join(broken) or "All targets were kept.", flush=True)
    return not broken
