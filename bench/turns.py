"""Servers that are asked by turns, and what a request costs each of them.

Figures are processor milliseconds a request, of the server and of PostgreSQL, by the kernel's own
accounting; requests a second would measure the machine and who else uses it. By turns, so that a
busy machine slows all of them.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import django
import httpx
import psutil
import psycopg

from bench.asked import Asked
from bench.rows import fill
from dev import postgres
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Process, Processes
from dev.stack import manage

CONNECTIONS, SECONDS, ROUNDS = 8, 3, 3
# By which all servers are called; nobody listens there.
NAME = "localhost:8000"
# Nobody is refused.
LIMITS = "writes=0/60"


class Cost(NamedTuple):
    """Milliseconds a request, and the answers that were none."""

    server: float
    database: float
    median: float
    wrong: int

    @property
    def processor(self) -> float:
        return self.server + self.database


class Server(NamedTuple):
    process: Process
    port: int
    database_url: str

    def answers(self) -> bool:
        try:
            return bool(httpx.get(f"http://{HOST}:{self.port}/health/live").status_code)
        except httpx.TransportError:
            return False


type Command = Callable[[int], Sequence[str | Path]]


def core(port: int) -> Sequence[str | Path]:
    return manage("run", "api", "--port", str(port))


@contextmanager
def filled(posts: int, pages: int | None = None) -> Iterator[str]:
    """The URL of a database of bench/rows.py, beside the one of DATABASE_URL."""
    server, name = os.environ["DATABASE_URL"], f"bench_{uuid.uuid4().hex[:8]}"
    maintenance = postgres.at_database(server, "postgres")
    postgres.create_database(maintenance, name, template=os.environ["TEST_DATABASE_TEMPLATE"])
    try:
        url = postgres.at_database(server, name)
        fill(url, posts, pages)
        yield url
    finally:
        postgres.drop_database(maintenance, name)


@contextmanager
def started(wanted: Mapping[str, tuple[Command, str]]) -> Iterator[dict[str, Server]]:
    """Servers by name, each of its command and its database's URL, with the same keys."""
    _set_up_django()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        processes = Processes(Path(folder) / "logs")
        try:
            servers = {
                name: _start(processes, name, command, url, Path(folder))
                for name, (command, url) in wanted.items()
            }
            for server in servers.values():
                server.process.wait_until(server.answers, seconds=60)
            yield servers
        finally:
            processes.stop()


def _set_up_django() -> None:
    """For the tokens, which are made here."""
    os.environ |= {"CORE_URL": f"http://{NAME}", "LIMITS": LIMITS}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _start(
    processes: Processes, name: str, command: Command, database_url: str, folder: Path
) -> Server:
    from django.conf import settings  # noqa: PLC0415 # Django comes first

    metrics = folder / name
    metrics.mkdir()
    env = {
        **os.environ,
        "DATABASE_URL": database_url,
        "LOG_STYLE": "json",
        "MEDIA_URL": settings.MEDIA_URL.rstrip("/"),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'contracts'}",
        "SIGNING_KEYS_FILE": str(settings.SIGNING_KEYS_FILE),
    }
    del env["DJANGO_SETTINGS_MODULE"]
    port = Port().release()
    return Server(processes.start(name, command(port), env=env), port, database_url)


def token_of(username: str, database_url: str) -> str:
    """Good for ten minutes; none of nobody."""
    if not username:
        return ""
    from innotter.accounts.models import User  # noqa: PLC0415 # Django comes first
    from innotter.accounts.tokens import mint_access_token  # noqa: PLC0415

    with psycopg.connect(database_url) as database:
        query = "SELECT id, username, role FROM accounts_user WHERE username = %s"
        [(key, name, role)] = database.execute(query, [username]).fetchall()
    return mint_access_token(User(pk=key, username=name, role=role))


def by_turns(servers: Mapping[str, Server], asked: Mapping[str, Asked]) -> dict[str, list[Cost]]:
    """Of each server, what it is asked by its name: the costs of each round."""
    costs: dict[str, list[Cost]] = {name: [] for name in servers}
    for number in range(ROUNDS + 1):
        for name in sorted(costs, reverse=bool(number % 2)):
            cost = _one_turn(servers[name], asked[name])
            # The first warms.
            if number:
                costs[name].append(cost)
    return costs


def _one_turn(server: Server, asked: Asked) -> Cost:
    token = token_of(asked.who, server.database_url)
    headers = [*asked.headers, *([("Authorization", f"Bearer {token}")] if token else [])]
    root = psutil.Process(server.process.pid)
    with psycopg.connect(server.database_url) as database:
        # The parent of each connection's process.
        database_server = psutil.Process(database.info.backend_pid).parent()
    assert database_server
    before = _processor_seconds(root), _processor_seconds(database_server)
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, str(ROOT / "bench" / "load.py"), str(server.port)),
            *(str(CONNECTIONS), str(SECONDS)),
        ],
        input=json.dumps([[*request, headers] for request in asked.requests]),
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    after = _processor_seconds(root), _processor_seconds(database_server)
    own, its = (1000 * (b - a) / seen["answers"] for a, b in zip(before, after, strict=True))
    return Cost(own, its, seen["median_ms"], seen["wrong"])


def _processor_seconds(root: psutil.Process) -> float:
    """Of all threads of the process and its children, as the scheduler has counted them; of the
    children that have ended, to a hundredth."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        for file in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            try:
                total += int(file.read_text().split()[0])
            except FileNotFoundError:
                continue
    ended = root.cpu_times()
    return total / 1e9 + ended.children_user + ended.children_system


def print_heading(names: Sequence[str]) -> None:
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}.")
    columns = "".join(f"{name:>12}{'of it PG':>10}" for name in names)
    print(f"{'':<12}{columns}{'ratio':>8}{'bar':>6}")


def print_row(name: str, costs: Sequence[Sequence[Cost]], ratio: float, bar: float) -> None:
    """Medians of the rounds of each server."""
    figures = "".join(
        f"{statistics.median(cost.processor for cost in rounds):>12.2f}"
        f"{statistics.median(cost.database for cost in rounds):>10.2f}"
        for rounds in costs
    )
    wrong = sum(cost.wrong for rounds in costs for cost in rounds)
    print(f"{name:<12}{figures}{ratio:>8.2f}{bar:>6}", end="")
    print(f"  {wrong} wrong answers" if wrong else "", flush=True)


def ratio_of(one: Sequence[Cost], other: Sequence[Cost]) -> float:
    """The median of the ratios of each round."""
    pairs = zip(one, other, strict=True)
    return statistics.median(a.processor / b.processor for a, b in pairs)
