"""The gateway of deploy/, in front of a stack: for tests and measurements."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from dev import tools
from dev.aws import answers
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Processes
from dev.stack import Stack

CADDYFILE = ROOT / "deploy" / "gateway" / "Caddyfile"


def gateway(stack: Stack, folder: Path) -> AbstractContextManager[str]:
    """Its URL."""
    return gateway_to(stack.core_url, stack.stats_url, folder)


@contextmanager
def gateway_to(core_url: str, stats_url: str, folder: Path, patience: str = "15s") -> Iterator[str]:
    """Its URL. The Caddyfile is that of the containers, with this machine's URLs in it, and so long
    a service that is gone is waited for."""
    port, health = Port(), Port()
    url = f"http://localhost:{port.number}"
    text = CADDYFILE.read_text()
    for theirs, ours in {
        "core:8000": core_url.replace("localhost", HOST),
        "stats:8001": stats_url.replace("localhost", HOST),
        "127.0.0.1:8080": f"{HOST}:{health.number}",
        "lb_try_duration 15s": f"lb_try_duration {patience}",
    }.items():
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    file = folder / "Caddyfile"
    file.write_text(text)
    command: list[str | Path] = [tools.caddy(), "run", "--adapter", "caddyfile", "--config", file]
    processes = Processes(folder)
    env = {**os.environ, "PUBLIC_URL": url, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    for each in (port, health):
        each.release()
    try:
        process = processes.start("gateway", command, env=env)
        process.wait_until(lambda: answers(f"http://{HOST}:{health.number}/"), seconds=30)
        yield url
    finally:
        processes.stop()
