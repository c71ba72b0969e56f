"""Hosts as network namespaces, joined by a bridge; each can lose its network, or all of itself."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dev.cluster import plan
from dev.processes import Process, Processes
from dev.tools import run

BRIDGE = "cluster"
# How often the kernel asks a host again that doesn't answer to a connection: it gives up after
# three seconds. As it is set by default, a standby whose primary was away for half a minute asks
# it next a quarter of a minute after it is back.
SYN_RETRIES = "net.ipv4.tcp_syn_retries=1"


def make_network(folder: Path) -> None:
    """In the namespaces of this process, which it must not share with the machine."""
    names = Path("/run/netns")
    names.mkdir(exist_ok=True)
    # What is mounted here goes with this process.
    run(["mount", "-t", "tmpfs", "tmpfs", str(names)])
    hosts = folder / "hosts"
    hosts.write_text(plan.hosts_file())
    run(["mount", "--bind", str(hosts), "/etc/hosts"])
    _ip("link", "set", "lo", "up")
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{plan.address(plan.OUTSIDE)}/{plan.NETWORK.prefixlen}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


class Host:
    """Its processes are started by `start`, as those of `Processes`."""

    def __init__(self, name: str, folder: Path, logs: Path) -> None:
        self.name = name
        self.address = plan.address(name)
        # What its disk holds.
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.processes = _InHost(name, logs / name)
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        inside = f"{self.address}/{plan.NETWORK.prefixlen}"
        for words in (
            ["address", "add", inside, "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-n", name, *words)
        run([*_inside(name), "sysctl", "--quiet", "--write", SYN_RETRIES])
        _ip("link", "set", name, "up")
        self.connect()

    def connect(self) -> None:
        _ip("link", "set", self.name, "master", BRIDGE)

    def disconnect(self) -> None:
        """What is sent to it or by it gets lost, and nobody is told."""
        _ip("link", "set", self.name, "nomaster")

    def lose(self) -> None:
        """As without power: silent from one moment to the next; its disk is kept."""
        self.disconnect()
        # Until nobody is left who could start another.
        while pids := _ip("netns", "pids", self.name).split():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        for process in self.processes.by_name.values():
            process.kill()

    def run(self, command: Sequence[str | Path], env: Mapping[str, str]) -> str:
        """What a command there says. Raises Failed."""
        return run([*_inside(self.name), *map(str, command)], env=dict(env))


class _InHost(Processes):
    def __init__(self, host: str, logs: Path) -> None:
        super().__init__(logs)
        self._host = host

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        inside = [*_inside(self._host), *command]
        return super().start(name, inside, env=env, stop_signal=stop_signal)


def _inside(host: str) -> list[str]:
    return ["ip", "netns", "exec", host]


def _ip(*words: str) -> str:
    return run(["ip", *words])
