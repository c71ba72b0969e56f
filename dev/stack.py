"""Innotter's seven roles, on whatever backing services their environment names: each a process of
its own, or those of a service forked from one."""

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import topology
from dev.aws import answers
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Console, Processes
from innotter_contracts.events import HOUSEKEEPING_QUEUE, MAIL_QUEUE, STATS_QUEUE

CORE = ROOT / "core"
# The roles of each service, as the names that they have here. Each serves /metrics at a port of its
# own; where they are forked from one, those of a service follow each other.
SERVICES = {
    "core": ("core", "relay", "worker", "housekeeper", "scheduler"),
    "stats": ("stats", "consumer"),
}
MEASURED = tuple(role for roles in SERVICES.values() for role in roles)
# Runs as several processes, which add up what they count.
SEVERAL = "core"
# In memory, where that can be told: what is mapped from a full disk kills who writes to it.
MEMORY = Path("/dev/shm")  # noqa: S108
# Seconds that a process may take to serve.
READY_BOUND = 60


class Stack:
    """All of them, by the names of SERVICES if they are forked, else by those of their roles; a
    stopped stack stays stopped."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        core_port: Port,
        stats_port: Port,
        metrics_ports: Mapping[str, Port],
        logs: Path,
        forked: bool = False,
        console: Console | None = None,
    ) -> None:
        self.env = dict(env)
        self.core_url = f"http://localhost:{core_port.number}"
        self.stats_url = f"http://localhost:{stats_port.number}"
        self.processes = Processes(logs, console)
        self._logs = logs
        self._counts = _counts_folder(logs)
        # The roles of each process, by its name.
        self._roles = SERVICES if forked else {role: (role,) for role in MEASURED}
        self._ports = {
            name: [metrics_ports[role] for role in roles] for name, roles in self._roles.items()
        }
        self._ports["core"].append(core_port)
        self._ports["stats"].append(stats_port)
        self._metrics = {name: port.number for name, port in metrics_ports.items()}
        ports = {"core": core_port.number, "stats": stats_port.number}
        self._commands = {name: command(roles, ports) for name, roles in self._roles.items()}

    def start(self, name: str | None = None) -> None:
        """All, or the one of that name."""
        for each in [name] if name else self._commands:
            for port in self._ports.get(each, []):
                port.release()
            # What the last ones counted is gone with them.
            shutil.rmtree(self._counts / each, ignore_errors=True)
            (self._counts / each).mkdir(parents=True)
            self.processes.start(
                each, self._commands[each], env={**self.env, **self.counting(each)}
            )

    def wait_until_ready(self) -> None:
        """Both services serve, and all queues are being read."""
        amqp = self.env["AMQP_URL"]
        checks = {
            "core": lambda: answers(f"{self.core_url}/health/ready"),
            "stats": lambda: answers(f"{self.stats_url}/health/ready"),
            "worker": lambda: topology.consumers(amqp, MAIL_QUEUE) > 0,
            "housekeeper": lambda: topology.consumers(amqp, HOUSEKEEPING_QUEUE) > 0,
            "consumer": lambda: topology.consumers(amqp, STATS_QUEUE) > 0,
        }
        for name, roles in self._roles.items():
            for role in filter(checks.__contains__, roles):
                self.processes.by_name[name].wait_until(checks[role], seconds=READY_BOUND)

    def kill(self, name: str) -> None:
        """SIGKILL, without a chance to finish anything."""
        self.processes.by_name[name].kill()

    def replace(self, name: str) -> int | None:
        """Ends it as a new version does, and starts it again. The old one's exit code."""
        process = self.processes.by_name[name]
        process.stop()
        code = process.exit_code
        self.start(name)
        return code

    def stop(self) -> None:
        self.processes.stop()
        shutil.rmtree(self._counts, ignore_errors=True)

    def log(self, name: str) -> str:
        """All that the process has said."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def metrics_url(self, name: str) -> str:
        """Where that role serves what it counts."""
        return f"http://{HOST}:{self._metrics[name]}/metrics"

    def waiting(self, queue: str) -> int:
        """Messages in the queue that no reader has been given."""
        return topology.waiting(self.env["AMQP_URL"], queue)

    def counting(self, name: str) -> dict[str, str]:
        """What a process has to know in order to serve what it counts."""
        port = {"METRICS_HOST": HOST, "METRICS_PORT": str(self._metrics[name])}
        if name != SEVERAL:
            return port
        return {**port, "PROMETHEUS_MULTIPROC_DIR": str(self._counts / name)}


def _counts_folder(logs: Path) -> Path:
    """For what processes count together; of this stack alone."""
    if not MEMORY.is_dir():
        return logs / "metrics"
    return MEMORY / f"innotter-{hashlib.sha256(str(logs).encode()).hexdigest()[:16]}"


def manage(*words: str | Path) -> list[str]:
    """A command of Django's."""
    return [sys.executable, str(CORE / "manage.py"), *map(str, words)]


def command(roles: Sequence[str], ports: Mapping[str, int], host: str = HOST) -> list[str]:
    """What runs these roles of one service; `ports` are those of the APIs, at the IP `host`."""
    service = next(name for name, known in SERVICES.items() if roles[0] in known)
    words = ["api" if role == service else role for role in roles]
    if service in roles:
        words += ["--host", host, "--port", str(ports[service])]
    if service == "core":
        return manage("run", *words)
    return [sys.executable, "-m", "innotter_stats.run", *words]
