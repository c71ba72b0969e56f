"""`make check`: everything that can be said about the code without running it.

Each check is one line; all of them run, two at a time, and the exit code says whether all
were well. Nothing is changed and no service has to run. `make check ARGS="types style"` runs those
whose names begin so.
"""

import difflib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import httpx

from dev import manifests, offline, tools
from dev.errors import Failed
from dev.install import poetry_environment
from dev.paths import ROOT
from dev.stack import manage
from innotter.accounts.keys import create_signing_keys

type Environment = dict[str, str]
type Check = tuple[str, Callable[[Environment], object]]

PYTHON = [sys.executable, "-m"]
# Each document below docs that is made of the code, and the command that prints it anew.
SCHEMAS = {
    "openapi/core.json": manage(
        *("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json")
    ),
    "openapi/statistics.json": [*PYTHON, "innotter_stats.openapi"],
    "asyncapi/events.json": [*PYTHON, "innotter_contracts.asyncapi"],
    "events.md": [*PYTHON, "innotter_contracts.asyncapi", "--for-people"],
}
# Where pip-audit asks for what is known of each package.
ADVISORIES = "https://pypi.org/pypi"
# Each function of lambdas/ has a group of its own in the lock.
FUNCTIONS = {"accept-csv": "accept_csv", "store-csv": "store_csv"}


class Skipped(Exception):
    """The check cannot be made here; the message says why."""


class Wrong(Exception):
    """What the check found."""


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = {**offline.environment(), "SIGNING_KEYS_FILE": f"{folder}/signing_keys.json"}
        create_signing_keys(Path(env["SIGNING_KEYS_FILE"]), prefix="development-")
        if words == ["--write-schemas"]:
            for name, command in SCHEMAS.items():
                _schema_file(name).write_text(_run(command, env))
            for group, function in FUNCTIONS.items():
                _requirements_file(function).write_text(_requirements(group))
            return 0
        try:
            checks = _named(words)
        except Failed as error:
            print(error, file=sys.stderr)
            return 2
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(_report, name, look, env) for name, look in checks]
        return 0 if all(check.result() for check in running) else 1


def _named(words: list[str]) -> list[Check]:
    """The checks whose names begin with one of the words; all without a word."""
    checks = _checks()
    if unknown := [word for word in words if not any(name.startswith(word) for name, _ in checks)]:
        names = ", ".join(name for name, _ in checks)
        raise Failed(f"No check is called {', '.join(unknown)}. There are: {names}.")
    return [check for check in checks if not words or check[0].startswith(tuple(words))]


def _checks() -> list[Check]:
    """The slowest first, so that the others fit in beside it."""

    def command(*words: str) -> Callable[[Environment], object]:
        return lambda env: _run(list(words), env)

    return [
        ("types", command(*PYTHON, "mypy")),
        ("directions of imports", command(_script("lint-imports"))),
        ("core's OpenAPI", lambda env: _schema("openapi/core.json", env)),
        ("statistics' OpenAPI", lambda env: _schema("openapi/statistics.json", env)),
        ("events' AsyncAPI", lambda env: _schema("asyncapi/events.json", env)),
        ("events for people", lambda env: _schema("events.md", env)),
        ("settings of production", _deployment),
        ("migrations", _migrations),
        ("migrations online", command(*PYTHON, "dev.online_migrations")),
        ("known vulnerabilities", _vulnerabilities),
        ("lock file", _lock),
        ("translations", command(*PYTHON, "dev.messages", "--check")),
        ("functions' packages", _functions_packages),
        ("style", command(*PYTHON, "ruff", "check", "--quiet", ".")),
        ("formatting", command(*PYTHON, "ruff", "format", "--quiet", "--check", ".")),
        ("compose file", _compose),
        ("Kubernetes", _kubernetes),
        ("AWS templates", _templates),
        ("Dockerfiles", _dockerfiles),
    ]


def _report(name: str, look: Callable[[Environment], object], env: Environment) -> bool:
    began = time.monotonic()
    result, details = "ok", ""
    try:
        look(env)
    except Skipped as reason:
        result = f"skipped: {reason}"
    except Wrong as findings:
        result, details = "WRONG", f"\n{findings}"
    print(f"  {name:<22} {time.monotonic() - began:5.1f} s  {result}{details}", flush=True)
    return result != "WRONG"


def _migrations(env: Environment) -> None:
    try:
        _run(manage("makemigrations", "--check", "--dry-run"), env)
    except Wrong as found:
        raise Wrong(f'`make migration ARGS="APP TOPIC"` writes what is missing:\n{found}') from None


def _schema(name: str, env: Environment) -> None:
    _compare(_schema_file(name), _run(SCHEMAS[name], env))


def _schema_file(name: str) -> Path:
    return ROOT / "docs" / name


def _functions_packages(_: Environment) -> None:
    for group, function in FUNCTIONS.items():
        _compare(_requirements_file(function), _requirements(group))


def _requirements(group: str) -> str:
    """What a function is shipped with: the versions that it is tested with."""
    poetry = tools.poetry()
    command = [str(poetry), "-m", "poetry", "export", "--only", group]
    return _run(command, poetry_environment(poetry))


def _requirements_file(function: str) -> Path:
    return ROOT / "lambdas" / function / "requirements.txt"


def _compare(file: Path, now: str) -> None:
    there = file.read_text() if file.exists() else ""
    if now != there:
        changes = difflib.unified_diff(there.splitlines(), now.splitlines(), lineterm="", n=1)
        shown = "\n".join(list(changes)[:40])
        raise Wrong(f"{file} is not what the code says now; `make schemas` writes it.\n{shown}")


def _deployment(env: Environment) -> None:
    """Django's own deployment checks."""
    with tempfile.TemporaryDirectory() as folder:
        production = {
            **env,
            "INNOTTER_ENV": "production",
            "SECRET_KEY": secrets.token_hex(32),
            "SIGNING_KEYS_FILE": f"{folder}/signing_keys.json",
            "CORE_URL": "https://innotter.example",
            "ALLOWED_HOSTS": "innotter.example",
            "TRUSTED_PROXIES": "1",
            "MAIL_FROM": "mail@innotter.example.com",
            "MEDIA_URL": "https://media.innotter.example",
        }
        create_signing_keys(Path(production["SIGNING_KEYS_FILE"]), prefix="")
        _run(manage("check", "--deploy", "--fail-level", "WARNING"), production)


def _vulnerabilities(env: Environment) -> None:
    """Wrong for a vulnerable package; skipped where no index with advisories can be reached."""
    if not _has_advisories():
        raise Skipped("the package index has no advisories")
    command = [*PYTHON, "pip_audit", "--local", "--skip-editable", "--format", "json"]
    audit = subprocess.run(command, env=env, cwd=ROOT, check=False, capture_output=True, text=True)
    try:
        packages = json.loads(audit.stdout)["dependencies"]
    except ValueError:
        raise Skipped("no index of advisories can be reached") from None
    found = [package for package in packages if package.get("vulns")]
    if found:
        raise Wrong(json.dumps(found, indent=2))


def _has_advisories() -> bool:
    """Whether the index that pip-audit asks tells of vulnerabilities: one question in place of one
    for each package. A mirror often has none; one that doesn't answer is left to pip-audit."""
    try:
        answer = httpx.get(f"{ADVISORIES}/django/{version('django')}/json", timeout=5)
    except httpx.HTTPError:
        return True
    return answer.status_code != httpx.codes.NOT_FOUND and "vulnerabilities" in answer.text


def _lock(_: Environment) -> None:
    poetry = tools.poetry()
    _run([str(poetry), "-m", "poetry", "check", "--lock"], poetry_environment(poetry))


def _compose(env: Environment) -> None:
    """As it stands for somebody who tries Innotter out, and for production."""
    for url in ([], ["https://innotter.example.com"]):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "compose.yaml", folder)
            shutil.copytree(ROOT / "deploy", Path(folder) / "deploy")
            # In a folder of its own, where there is no .env yet.
            _run(["sh", f"{folder}/deploy/make-env.sh", *url], env)
            _run([_script("docker-compose"), "-f", f"{folder}/compose.yaml", "config", "-q"], env)
            wide = ["-f", f"{folder}/compose.yaml", "-f", f"{folder}/deploy/wide.yaml"]
            _run([_script("docker-compose"), *wide, "config", "-q"], env)


def _kubernetes(_: Environment) -> None:
    try:
        found = list(manifests.complaints(manifests.of_example()))
    except ValueError as error:
        raise Wrong(str(error)) from None
    if found:
        raise Wrong("\n".join(found))


def _templates(env: Environment) -> None:
    try:
        python = tools.sam()
    except Failed as reason:
        raise Skipped(str(reason)) from None
    files = sorted(map(str, (ROOT / "deploy" / "aws").glob("*.yaml")))
    _run([str(python.with_name("cfn-lint")), *files], env)


def _dockerfiles(env: Environment) -> None:
    _run([_script("hadolint"), *sorted(map(str, (ROOT / "deploy").glob("*/Dockerfile")))], env)


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _run(command: list[str], env: Environment) -> str:
    """Standard output. Raises Wrong with all that the command said when it fails."""
    done = subprocess.run(command, env=env, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
