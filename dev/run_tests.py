"""`make test`, `make bench` and `make screenshots`."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from dev import tools
from dev.errors import Failed
from dev.paths import ROOT
from dev.steps import step
from dev.temporary import temporary_services

# One more than a small machine has cores: a test of a whole stack often waits.
WORKERS = 3
# How many times as many examples property tests draw in a nightly run.
NIGHTLY_FACTOR = 20


def run_tests(arguments: Sequence[str]) -> int:
    """pytest's exit code. What a test needs is started when it asks: dev/on_demand.py."""
    words, env = property_test_options(arguments or ["--cov"])
    if not of_one_file(arguments):
        _fetch_browser()
        words = ["-n", str(WORKERS), "--dist", "loadgroup", *words]
    return _in_terminal([sys.executable, "-m", "pytest", *words], {**os.environ, **env})


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


def of_one_file(arguments: Sequence[str]) -> bool:
    """Whether all tests that are asked for stand in one file: workers would take longer to start
    than it takes to run."""
    paths = {word.partition("::")[0] for word in arguments}
    there = [path for path in paths if path and (ROOT / path).exists()]
    return len(there) == 1 and (ROOT / there[0]).is_file()


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
    return _on_own_services([sys.executable, f"bench/{name}.py", *arguments])


def run_screenshots() -> int:
    return _on_own_services([sys.executable, "-m", "dev.screenshots"])


def _on_own_services(command: Sequence[str]) -> int:
    try:
        with temporary_services({}) as services:
            services.start()
            return _in_terminal(command, services.env)
    except KeyboardInterrupt:
        return 130


def _in_terminal(command: Sequence[str], env: Mapping[str, str]) -> int:
    """In the terminal's own process group, so that Ctrl-C reaches it first."""
    child = subprocess.Popen(command, env=env, cwd=ROOT)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return child.wait()
