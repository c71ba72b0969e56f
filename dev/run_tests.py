"""`make test` and `make bench`: with backing services that are thrown away afterwards."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import postgres, settings, tools
from dev.aws import prepare_aws
from dev.backing import PORTS, BackingServices
from dev.errors import Failed
from dev.locks import locked
from dev.paths import DATA, ROOT
from dev.ports import inner_ports
from dev.processes import Processes
from dev.rabbitmq import at_vhost
from dev.stack import manage
from dev.steps import step, together
from dev.topology import declare_topology

WORKERS = 2
# How many times as many examples property tests draw in a nightly run.
NIGHTLY_FACTOR = 20
# One for the whole stack, one for each worker of pytest that may be asked for.
VHOSTS = ["/", "stack", "gw0", "gw1", "gw2", "gw3"]


def run_tests(arguments: Sequence[str]) -> int:
    """pytest's exit code."""
    _fetch_browser()
    words, env = property_test_options(arguments or ["--cov"])
    pytest = [sys.executable, "-m", "pytest", "-n", str(WORKERS), "--dist", "loadgroup"]
    return _run_on_own_parts([*pytest, *words], postgres.FORGETFUL, env)


def property_test_options(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What pytest is to be called with, and in which environment.

    Property tests draw the same in each run, so that a change alone turns one red. With
    `--nightly` they draw anew, and more; `--nightly=SEED` repeats a run whose seed was printed.
    """
    words = [word for word in arguments if not word.startswith("--nightly")]
    nightly = [word for word in arguments if word.startswith("--nightly")]
    if not nightly:
        return ["--hypothesis-seed=0", *words], {}
    seed = nightly[-1].partition("=")[2] or str(secrets.randbelow(2**32))
    print(f"Property tests draw by the seed {seed}: --nightly={seed} draws the same.", flush=True)
    return [f"--hypothesis-seed={seed}", *words], {"EXAMPLES_FACTOR": str(NIGHTLY_FACTOR)}


def _fetch_browser() -> None:
    """Once, and before pytest, whose tests have a time limit. Where it fails, the tests that need
    a browser fail, and no others."""
    with step("Chromium"):
        try:
            tools.chromium()
        except Failed as error:
            print(f"  no browser: {error}", flush=True)


def run_bench(name: str, arguments: Sequence[str]) -> int:
    """The exit code of bench/`name`.py. Its PostgreSQL is durable, as in production."""
    return _run_on_own_parts([sys.executable, f"bench/{name}.py", *arguments], {}, {})


def run_screenshots() -> int:
    return _run_on_own_parts([sys.executable, "-m", "dev.screenshots"], {}, {})


def _run_on_own_parts(
    command: Sequence[str], postgres_options: Mapping[str, str], env: Mapping[str, str]
) -> int:
    DATA.mkdir(exist_ok=True)
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=DATA))
    with locked(folder / "lock", busy="Another test run is in this folder."):
        running = _TestRun(folder, postgres_options)
        try:
            running.start()
            return running.run(command, env)
        except KeyboardInterrupt:
            return 130
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            running.processes.stop()
            shutil.rmtree(folder, ignore_errors=True)


class _TestRun:
    def __init__(self, folder: Path, postgres_options: Mapping[str, str]) -> None:
        self.processes = Processes(folder / "logs")
        self.backing = BackingServices(
            self.processes,
            folder,
            given={},
            ports=inner_ports(PORTS, folder / "ports.json"),
            password=settings.remembered(folder / "secrets" / "password"),
            vhosts=VHOSTS,
            postgres_options=dict(postgres_options),
        )
        own = settings.defaults(
            secrets_folder=folder / "secrets",
            core_url="http://localhost:8000",
            stats_url="http://localhost:8001",
        )
        tests = {
            "INNOTTER_ENV": "test",
            # For a copy of the migrated database; see dev/testing.py.
            "TEST_DATABASE_TEMPLATE": postgres.DATABASE,
            "TEST_LOGS": str(folder / "logs"),
        }
        environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        self.env = settings.with_backing({**environment, **own, **tests}, self.backing)

    def start(self) -> None:
        together(self.processes, self._database, self._broker, self._aws)

    def run(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        """In the terminal's own process group, so that Ctrl-C reaches it first."""
        child = subprocess.Popen(command, env={**self.env, **env}, cwd=ROOT)
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            return child.wait()

    def _database(self) -> None:
        with step("PostgreSQL"):
            self.backing.start_postgres()
        with step("Signing keys"):
            keys = manage("create_signing_keys", self.env["SIGNING_KEYS_FILE"])
            self.processes.run("create-keys", keys, env=self.env, seconds=60)
        with step("Migrations"):
            self.processes.run("migrate", manage("migrate"), env=self.env, seconds=120)

    def _broker(self) -> None:
        with step("RabbitMQ"):
            self.backing.start_rabbitmq()
        with step("Queues"):
            for vhost in VHOSTS[1:]:
                declare_topology(at_vhost(self.backing.amqp_url, vhost))
            declare_topology(self.backing.amqp_url)

    def _aws(self) -> None:
        with step("AWS emulator"):
            self.backing.start_aws()
        with step("Bucket, sender, table"):
            prepare_aws(self.env)


def _remove_leftovers() -> None:
    """Folders of runs that were killed; a run that lives holds the lock of its own."""
    for folder in DATA.glob("test-*"):
        try:
            with locked(folder / "lock", busy=""):
                shutil.rmtree(folder, ignore_errors=True)
        except Failed:
            pass
