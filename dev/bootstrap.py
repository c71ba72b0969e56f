"""Makes sure that the project's environment is there; costs milliseconds when it is.

Standard library only, and in the syntax of Python 3.8: an old default `python3` must get
far enough to find the newer one that the project needs. That one then runs `dev.install`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".data" / "tools"
STAMP = TOOLS / "environment.json"
# Newest first; the same range as `requires-python` in pyproject.toml.
VERSIONS = ["3.15", "3.14", "3.13"]
# What the environment is made of: a change in one of these makes it again.
INGREDIENTS = [
    "poetry.lock",
    "pyproject.toml",
    "dev/install.py",
    "dev/poetry-requirements.txt",
    "dev/ministack-requirements.txt",
]


def main() -> int:
    if is_current():
        return 0
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Two commands in one fresh clone: the second waits, and finds the work done.
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current():
            return 0
        return make()


def is_current() -> bool:
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp == fingerprint() and (ROOT / ".venv" / "bin" / "python").exists())


def fingerprint() -> dict[str, str]:
    digest = hashlib.sha256()
    for name in INGREDIENTS:
        digest.update((ROOT / name).read_bytes())
    # A copied or moved folder holds scripts that still point to the old place.
    return {"root": str(ROOT), "ingredients": digest.hexdigest()}


def make() -> int:
    python = newest_python() or python_from_uv()
    if python is None:
        print(
            "Innotter needs CPython {} and found none on PATH or in ~/.pyenv/versions.\n"
            "Install one of them (with pyenv, uv or the system's packages) and try again.".format(
                ", ".join(reversed(VERSIONS))
            ),
            file=sys.stderr,
        )
        return 1
    if moved():
        shutil.rmtree(str(ROOT / ".venv"), ignore_errors=True)
    code = subprocess.call([python, "-m", "dev.install"], cwd=str(ROOT))
    if code == 0:
        write_stamp()
    return code


def write_stamp() -> None:
    STAMP.write_text(json.dumps(fingerprint()))


def moved() -> bool:
    try:
        return bool(json.loads(STAMP.read_text())["root"] != str(ROOT))
    except (OSError, ValueError, KeyError):
        return False


def newest_python() -> str | None:
    """The path of the newest supported CPython, or None."""
    found: dict[str, str] = {}
    for candidate in candidates():
        version = version_of(candidate)
        if version is not None and version in VERSIONS:
            found.setdefault(version, candidate)
    return next((found[version] for version in VERSIONS if version in found), None)


def candidates() -> Iterator[str]:
    """Places to look in, best first. A name proves nothing: a pyenv shim may lead nowhere."""
    names = ["python" + version for version in VERSIONS] + ["python3"]
    for name in names:
        for folder in os.get_exec_path():
            path = Path(folder) / name
            if os.access(path, os.X_OK):
                yield str(path)
    for version in VERSIONS:
        found = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
        yield from sorted(map(str, found), key=numbers, reverse=True)


def numbers(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def version_of(python: str) -> str | None:
    """`3.14` for a CPython that runs and can make environments, else None."""
    question = (
        "import ensurepip, sys, venv;"
        "assert sys.implementation.name == 'cpython';"
        "print('%d.%d' % sys.version_info[:2])"
    )
    try:
        answer = subprocess.run(
            [python, "-c", question],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode().strip() if answer.returncode == 0 else None


def python_from_uv() -> str | None:
    """uv, where there is one, can bring the newest Python itself."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    print(f"No Python {VERSIONS[-1]} or newer here: asking uv for one.", flush=True)
    for version in VERSIONS:
        if subprocess.call([uv, "python", "install", version]) == 0:
            answer = subprocess.run(
                [uv, "python", "find", version], check=False, stdout=subprocess.PIPE
            )
            path = answer.stdout.decode().strip()
            if version_of(path) == version:
                return path
    return None


if __name__ == "__main__":
    sys.exit(main())
