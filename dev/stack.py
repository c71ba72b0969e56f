"""The seven processes that are Innotter, on whatever backing services their environment names."""

import hashlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from dev import topology
from dev.aws import answers
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Console, Processes
from innotter_contracts.events import HOUSEKEEPING_QUEUE, MAIL_QUEUE, STATS_QUEUE

CORE = ROOT / "core"
# The processes that serve /metrics, each at a port of its own.
MEASURED = ("core", "relay", "worker", "housekeeper", "scheduler", "stats", "consumer")
# Those of them that are several, which add up what they count.
SEVERAL = ("core", "worker", "housekeeper")
# In memory, where that can be told: what is mapped from a full disk kills who writes to it.
MEMORY = Path("/dev/shm")  # noqa: S108
# Seconds that a process may take to serve.
READY_BOUND = 60


class Stack:
    """All of them, by the names of `commands`; a stopped stack stays stopped."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        core_port: Port,
        stats_port: Port,
        metrics_ports: Mapping[str, Port],
        logs: Path,
        console: Console | None = None,
    ) -> None:
        self.env = dict(env)
        self.core_url = f"http://localhost:{core_port.number}"
        self.stats_url = f"http://localhost:{stats_port.number}"
        self.processes = Processes(logs, console)
        self._logs = logs
        self._counts = _counts_folder(logs)
        self._ports = {"core": [core_port], "stats": [stats_port]}
        for name, port in metrics_ports.items():
            self._ports.setdefault(name, []).append(port)
        self._metrics = {name: port.number for name, port in metrics_ports.items()}
        self._commands = commands(core_port.number, stats_port.number)

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
        for name, ready in checks.items():
            self.processes.by_name[name].wait_until(ready, seconds=READY_BOUND)

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
        """Where the process of that name serves what it counts."""
        return f"http://{HOST}:{self._metrics[name]}/metrics"

    def waiting(self, queue: str) -> int:
        """Messages in the queue that no reader has been given."""
        return topology.waiting(self.env["AMQP_URL"], queue)

    def counting(self, name: str) -> dict[str, str]:
        """What a process has to know in order to serve what it counts."""
        port = {"METRICS_HOST": HOST, "METRICS_PORT": str(self._metrics[name])}
        if name not in SEVERAL:
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


def commands(core_port: int, stats_port: int) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "-A", "innotter.config"]
    return {
        "core": manage("serve", "--host", HOST, "--port", str(core_port)),
        "stats": [
            *(*python, "uvicorn", "innotter_stats.api:app"),
            *("--http", "innotter_stats.server:Protocol"),
            *("--host", HOST, "--port", str(stats_port)),
        ],
        "relay": manage("relay"),
        # Each queue has a worker of its own: mail never waits behind housekeeping.
        "worker": [*celery, "worker", "--queues", MAIL_QUEUE, "--concurrency", "2"],
        "housekeeper": [*celery, "worker", "--queues", HOUSEKEEPING_QUEUE, "--concurrency", "1"],
        "scheduler": [*celery, "beat", "--scheduler", "innotter.config.scheduler:Scheduler"],
        "consumer": [*python, "innotter_stats.consumer"],
    }
