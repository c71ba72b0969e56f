"""`make run`: the whole system, until Ctrl-C; and `make manage`, a command beside it."""

import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kombu.exceptions import OperationalError

from dev import demo, settings
from dev.aws import prepare_aws
from dev.backing import PORTS, BackingServices
from dev.errors import Failed
from dev.inbox import messages_url, serve_inbox
from dev.locks import locked
from dev.paths import DATA, STATE
from dev.ports import Port, front_ports, inner_ports
from dev.processes import Console, Process, Processes
from dev.stack import MEASURED, SERVICES, Stack
from dev.stack import manage as command_of_django
from dev.steps import step, together
from dev.topology import declare_topology
from innotter_contracts.events import MAIL_QUEUE, STATS_QUEUE

LOCK = DATA / "run.lock"
SECRETS = STATE / "secrets"
ENVIRONMENT = SECRETS / "environment.json"
DEMO_IS_THERE = STATE / "demo_is_there"
# A process that dies more often than this in a minute is not helped by another start.
RESTARTS = 5


def run() -> None:
    with locked(LOCK, busy="This clone is running already, or still stopping."):
        began = time.monotonic()
        STATE.mkdir(parents=True, exist_ok=True)
        running = _Run(settings.given())
        try:
            running.start()
            print(f"Everything runs after {time.monotonic() - began:.1f} s.\n")
            running.print_urls()
            running.watch()
        except KeyboardInterrupt:
            pass
        finally:
            running.stop()


def manage(words: Sequence[str]) -> NoReturn:
    """Becomes a command of the core in the environment of `make run`: the last one's, if none
    runs. Raises Failed where there was none."""
    env = settings.recorded(ENVIRONMENT)
    command = command_of_django(*words)
    os.execve(command[0], command, {**os.environ, **env})  # noqa: S606


def reset() -> None:
    """Deletes all data, secrets and logs of `make run`."""
    with locked(LOCK, busy="Stop `make run` first: its data is in use."):
        shutil.rmtree(STATE, ignore_errors=True)
    print("All data of this clone is deleted; `make run` starts from scratch.")


class _Run:
    def __init__(self, given: dict[str, str]) -> None:
        self.given = given
        core, stats = _front_ports(given)
        self.console = Console()
        # What follows from the demo data: some hundred mails, whose log pours over the screen.
        self.demo_is_on_its_way = False
        self.processes = Processes(STATE / "logs")
        ports = inner_ports(
            [[name] for name in (*PORTS, "inbox")]
            + [[_metrics(role) for role in roles] for roles in SERVICES.values()],
            STATE / "ports.json",
            # The README's walk reads a mail there.
            usual={"inbox": 8025},
        )
        self.inbox_port = ports["inbox"]
        self.inbox = ""
        self.backing = BackingServices(
            self.processes,
            STATE,
            given=given,
            ports=ports,
            password=settings.remembered(SECRETS / "password"),
        )
        own = settings.defaults(
            secrets_folder=SECRETS,
            core_url=f"http://localhost:{core.number}",
            stats_url=f"http://localhost:{stats.number}",
        )
        own["STATIC_ROOT"] = str(STATE / "static")
        self.env = settings.with_backing({**own, **given}, self.backing)
        settings.check(self.env)
        settings.record(self.env, ENVIRONMENT)
        self.stack = Stack(
            self.env,
            core_port=core,
            stats_port=stats,
            metrics_ports={name: ports[_metrics(name)] for name in MEASURED},
            logs=STATE / "logs",
            forked=True,
            console=self.console,
        )

    def start(self) -> None:
        together(self.processes, self._database, self._aws, self._static_files, self._broker)
        with step("The two services"):
            self.stack.start()
            self.stack.wait_until_ready()
        # A database of the user's own is left to its owner.
        if not DEMO_IS_THERE.exists() and self.backing.postgres_is_embedded:
            with step("Demo data"):
                command = [sys.executable, "-m", "dev.demo"]
                self.processes.run("demo", command, env=self.env, seconds=300)
            DEMO_IS_THERE.touch()
            self.demo_is_on_its_way = True

    def print_urls(self) -> None:
        urls = {
            "Innotter": f"{self.stack.core_url}/",
            "Core API": f"{self.stack.core_url}/api/v1/docs",
            "Statistics API": f"{self.stack.stats_url}/docs",
            "Admin": f"{self.stack.core_url}/admin/",
        }
        if self.backing.aws_endpoint_url:
            urls["Mail inbox"] = self.inbox
            urls["Mail, as JSON"] = messages_url(self.backing.aws_endpoint_url)
        urls |= {f"Metrics, {name}": self.stack.metrics_url(name) for name in MEASURED}
        for name, url in urls.items():
            print(f"  {name:<20} {url}")
        if DEMO_IS_THERE.exists():
            print("\n  Username         Password          Who")
            for username, password, who in demo.ACCOUNTS:
                print(f"  {username:<16} {password:<17} {who}")
        print("\nA guided tour: docs/tour.md. All documentation: docs/README.md.")
        print("Ctrl-C stops everything and keeps the data.\n", flush=True)

    def watch(self) -> None:
        """Streams the logs and starts again what dies, until interrupted."""
        self.console.open = True
        deaths: dict[str, list[float]] = defaultdict(list)
        while True:
            for process in [*self.processes.dead(), *self.stack.processes.dead()]:
                now = time.monotonic()
                recent = [moment for moment in deaths[process.name] if moment > now - 60]
                deaths[process.name] = [*recent, now]
                if len(recent) == RESTARTS:
                    raise process.failure(f"died {RESTARTS + 1} times within a minute")
                _start_again(process)
            if self.demo_is_on_its_way:
                self._look_after_the_demo()
            time.sleep(0.2)

    def _look_after_the_demo(self) -> None:
        """Prints the URLs again once mail and statistics of the demo data have arrived."""
        try:
            if any(self.stack.waiting(queue) for queue in (MAIL_QUEUE, STATS_QUEUE)):
                return
        except (OperationalError, OSError):
            # The broker may be starting again.
            return
        self.demo_is_on_its_way = False
        print("\nAll mail and statistics of the demo data have been processed.\n")
        self.print_urls()

    def stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.console.open = False
        print("\nStopping…", flush=True)
        self.stack.stop()
        self.processes.stop()
        print("Everything has stopped.", flush=True)

    def _whose(self, variable: str) -> str:
        return " (yours)" if variable in self.given else ""

    def _database(self) -> None:
        with step(f"PostgreSQL{self._whose('DATABASE_URL')}"):
            self.backing.start_postgres()
        keys = Path(self.env["SIGNING_KEYS_FILE"])
        if keys.is_relative_to(SECRETS) and not keys.exists():
            with step("Signing keys"):
                command = command_of_django("create_signing_keys", keys)
                self.processes.run("create-keys", command, env=self.env, seconds=60)
        with step("Migrations"):
            self.processes.run("migrate", command_of_django("migrate"), env=self.env, seconds=120)

    def _static_files(self) -> None:
        """As production serves them: compressed, and kept by browsers."""
        with step("Static files"):
            command = command_of_django("collectstatic", "--noinput", "--verbosity=0")
            self.processes.run("collect-static", command, env=self.env, seconds=120)

    def _broker(self) -> None:
        with step(f"RabbitMQ{self._whose('AMQP_URL')}"):
            self.backing.start_rabbitmq()
        with step("Queues"):
            declare_topology(self.backing.amqp_url)

    def _aws(self) -> None:
        # In AWS itself, its owner makes these.
        if self.backing.aws_endpoint_url:
            with step(f"AWS emulator{self._whose('AWS_ENDPOINT_URL')}"):
                self.backing.start_aws()
            with step("Bucket, sender, table"):
                prepare_aws(self.env)
            self.inbox = serve_inbox(self.inbox_port, self.backing.aws_endpoint_url)


def _metrics(name: str) -> str:
    """What a process's port for its metrics is remembered by."""
    return f"metrics of {name}"


def _front_ports(given: dict[str, str]) -> tuple[Port, Port]:
    asked = _number(given, "CORE_PORT"), _number(given, "STATS_PORT")
    core, stats = front_ports(*asked)
    if None in asked and (core.number, stats.number) != (asked[0] or 8000, asked[1] or 8001):
        print(
            f"Ports 8000 and 8001 are taken: the core is on {core.number}, "
            f"statistics on {stats.number}."
        )
    return core, stats


def _number(given: dict[str, str], name: str) -> int | None:
    value = given.get(name)
    if value is not None and not value.isdecimal():
        raise Failed(f"{name} must be a number, not {value!r}.")
    return int(value) if value else None


def _start_again(process: Process) -> None:
    print(f"{process.name} ended with code {process.exit_code}: starting it again.", flush=True)
    # Whatever its death has left of its group.
    process.kill()
    time.sleep(1)
    process.start()
