"""The gateway of deploy/, in front of a stack: for tests and measurements."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import tools
from dev.aws import answers
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Processes
from dev.stack import Stack

CADDYFILE = ROOT / "deploy" / "gateway" / "Caddyfile"


@contextmanager
def gateway(stack: Stack, folder: Path) -> Iterator[str]:
    """Its URL. The Caddyfile is that of the containers, with this machine's URLs in it."""
    port, health = Port(), Port()
    url = f"http://localhost:{port.number}"
    text = CADDYFILE.read_text()
    for theirs, ours in {
        "core:8000": stack.core_url.replace("localhost", HOST),
        "stats:8001": stack.stats_url.replace("localhost", HOST),
        "127.0.0.1:8080": f"{HOST}:{health.number}",
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
        process.wait_until(lambda: answers(f"{url}/health/live"), seconds=30)
        yield url
    finally:
        processes.stop()
