"""What requests cost beside what they would cost if nothing but the answer were made.

    make bench ARGS="ratio"                     a million posts
    make bench ARGS="ratio 100000"              so many
    make bench ARGS="ratio 100000 feed100,page" these requests alone

The core and bench/bare.py serve the same database, two processes of four threads each, and are
asked by turns, eight connections at a time. First their answers are compared, byte for byte. The
figures are processor milliseconds a request, of the server and of PostgreSQL, by the kernel's own
accounting, medians of the rounds; requests a second would measure the machine and who else uses it.
docs/speed.md has the figures, and the bars.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import django
import httpx
import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asked import BARS, Asked, Request, questions
from bench.rows import fill
from dev import postgres
from dev.paths import ROOT
from dev.ports import HOST, Port
from dev.processes import Process, Processes
from dev.stack import manage

SIZE = 1_000_000
CONNECTIONS, SECONDS, ROUNDS = 8, 3, 3
# Nobody is refused.
LIMITS = "writes=0/60"
# So many requests of a kind are looked at by the comparison.
COMPARED = 20


class Cost(NamedTuple):
    """Milliseconds a request, and the answers that were none."""

    server: float
    database: float
    median: float
    wrong: int

    @property
    def processor(self) -> float:
        return self.server + self.database


def main() -> None:
    size = int(sys.argv[1]) if sys.argv[1:] else SIZE
    wanted = sys.argv[2].split(",") if sys.argv[2:] else None
    server = os.environ["DATABASE_URL"]
    maintenance, name = postgres.at_database(server, "postgres"), f"ratio_{uuid.uuid4().hex[:8]}"
    postgres.create_database(maintenance, name, template=os.environ["TEST_DATABASE_TEMPLATE"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        processes = Processes(Path(folder) / "logs")
        try:
            url = postgres.at_database(server, name)
            fill(url, size)
            measure(Rivals(processes, url, Path(folder)), size, wanted)
        finally:
            processes.stop()
            postgres.drop_database(maintenance, name)


class Rivals:
    """The core and the bare one, on the same database and with the same keys."""

    def __init__(self, processes: Processes, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self._ports = {"core": Port(), "bare": Port()}
        core_url = f"http://localhost:{self._ports['core'].number}"
        env = {
            **os.environ,
            "DATABASE_URL": database_url,
            "CORE_URL": core_url,
            "LIMITS": LIMITS,
            "LOG_STYLE": "json",
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'contracts'}",
        }
        env.pop("DJANGO_SETTINGS_MODULE", None)
        os.environ |= {name: env[name] for name in ("DATABASE_URL", "CORE_URL")}
        self._set_up_django()
        env |= {"MEDIA_URL": self._media_url, "SIGNING_KEYS_FILE": self._keys}
        commands = {
            "core": manage("run", "api", "--port", str(self._ports["core"].release())),
            "bare": [sys.executable, "-m", "bench.bare", str(self._ports["bare"].release())],
        }
        self.running: dict[str, Process] = {
            name: processes.start(name, command, env=env) for name, command in commands.items()
        }
        for name, process in self.running.items():
            process.wait_until(lambda name=name: self._answers(name), seconds=60)  # type: ignore[misc]

    def _set_up_django(self) -> None:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        from django.conf import settings  # noqa: PLC0415

        self._media_url = settings.MEDIA_URL.rstrip("/")
        self._keys = str(settings.SIGNING_KEYS_FILE)

    def token_of(self, username: str) -> str:
        """Good for ten minutes; none of nobody."""
        if not username:
            return ""
        from innotter.accounts.models import User  # noqa: PLC0415 # Django comes first
        from innotter.accounts.tokens import mint_access_token  # noqa: PLC0415

        return mint_access_token(User.objects.get(username=username))

    def port(self, name: str) -> int:
        return self._ports[name].number

    def _answers(self, name: str) -> bool:
        try:
            return bool(httpx.get(f"http://{HOST}:{self.port(name)}/health/live").status_code)
        except httpx.TransportError:
            return False


def measure(rivals: Rivals, size: int, wanted: list[str] | None) -> None:
    asked = {
        name: each
        for name, each in questions(rivals.database_url).items()
        if not wanted or name in wanted
    }
    for name, each in asked.items():
        compare(rivals, name, each)
    print(f"{size:,} posts. Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}.")
    print(f"{'':<12}{'core':>8}{'of it PG':>10}{'bare':>8}{'of it PG':>10}{'ratio':>8}{'bar':>6}")
    for name, each in asked.items():
        core, bare = (costs for costs in by_turns(rivals, each))
        pairs = zip(core, bare, strict=True)
        ratio = statistics.median(one.processor / other.processor for one, other in pairs)
        figures = "".join(
            f"{statistics.median(cost.processor for cost in costs):>8.2f}"
            f"{statistics.median(cost.database for cost in costs):>10.2f}"
            for costs in (core, bare)
        )
        wrong = sum(cost.wrong for cost in (*core, *bare))
        print(f"{name:<12}{figures}{ratio:>8.2f}{BARS[name]:>6}", end="")
        print(f"  {wrong} wrong answers" if wrong else "", flush=True)


def compare(rivals: Rivals, name: str, asked: Asked) -> None:
    """Raises SystemExit where the bytes differ. What is new at each request is left out."""
    for request in asked.requests[:COMPARED]:
        core, bare = (answer(rivals, which, asked.who, request) for which in rivals.running)
        if core != bare:
            pairs = enumerate(zip(core[1], bare[1], strict=False))
            end = next((place for place, (one, other) in pairs if one != other), 0)
            parts = [(status, body[max(0, end - 80) : end + 80]) for status, body in (core, bare)]
            raise SystemExit(f"{name}, {request}:\n  core {parts[0]}\n  bare {parts[1]}")


def answer(rivals: Rivals, which: str, who: str, request: Request) -> tuple[int, bytes]:
    method, path, body = request
    got = httpx.request(
        method,
        f"http://{HOST}:{rivals.port(which)}{path}",
        content=body,
        headers={
            **({"Authorization": f"Bearer {rivals.token_of(who)}"} if who else {}),
            "Host": f"localhost:{rivals.port('core')}",
            "Content-Type": "application/json",
        },
    )
    content = got.content
    if method == "POST" and path.endswith("/posts"):
        made: dict[str, Any] = got.json()
        content = json.dumps({**made, "id": "", "created_at": "", "updated_at": ""}).encode()
    return got.status_code, content


def by_turns(rivals: Rivals, asked: Asked) -> Iterator[list[Cost]]:
    """Of the core, then of the bare one."""
    costs: dict[str, list[Cost]] = {name: [] for name in rivals.running}
    for number in range(ROUNDS + 1):
        for name in sorted(costs, reverse=bool(number % 2)):
            cost = one_turn(rivals, name, asked)
            # The first warms.
            if number:
                costs[name].append(cost)
    yield from costs.values()


def one_turn(rivals: Rivals, name: str, asked: Asked) -> Cost:
    token = rivals.token_of(asked.who)
    server = psutil.Process(rivals.running[name].pid)
    with psycopg.connect(rivals.database_url) as database:
        # The parent of each connection's process.
        database_server = psutil.Process(database.info.backend_pid).parent()
    assert database_server
    before = processor_seconds(server), processor_seconds(database_server)
    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, str(ROOT / "bench" / "load.py"), str(rivals.port(name))),
            *(str(CONNECTIONS), str(SECONDS)),
        ],
        input=json.dumps([[*request, token] for request in asked.requests]),
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    after = processor_seconds(server), processor_seconds(database_server)
    own, its = (1000 * (b - a) / seen["answers"] for a, b in zip(before, after, strict=True))
    return Cost(own, its, seen["median_ms"], seen["wrong"])


def processor_seconds(root: psutil.Process) -> float:
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


if __name__ == "__main__":
    main()
