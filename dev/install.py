"""Makes `.venv` with Poetry and fetches the backing services. Standard library only.

Run by bootstrap.py with the Python that the project is to use.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev import tools
from dev.errors import Failed
from dev.paths import ROOT


def main() -> int:
    print(f"Setting up with Python {platform.python_version()}; once, a minute at most.")
    with ThreadPoolExecutor() as pool:
        packages = pool.submit(_step, "Python packages", _packages)
        # A machine that brings its own broker or AWS does without these: only a start
        # that needs one of them may fail for the lack of it.
        pool.submit(_step, "AWS emulator", tools.ministack)
        pool.submit(_step, "RabbitMQ", tools.rabbitmq)
        return 0 if packages.result() else 1


def _step(name: str, work: Callable[[], object]) -> bool:
    began = time.monotonic()
    try:
        work()
    except Exception as error:  # noqa: BLE001 (any error is reported)
        print(f"  {name:<22} failed: {error}", flush=True)
        return False
    print(f"  {name:<22} {time.monotonic() - began:5.1f} s", flush=True)
    return True


def poetry_environment(poetry: Path) -> dict[str, str]:
    """For `poetry -m poetry …`: the project's own folder, and the index that pip uses here."""
    return {
        **tools.pip_environment(),
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "true",
        "POETRY_PYPI_MIRROR_URL": _index(poetry),
    }


def _packages() -> None:
    poetry = tools.poetry()
    _remove_other_python()
    tools.run(
        [str(poetry), "-m", "poetry", "sync", "--all-groups", "--no-interaction"],
        env=poetry_environment(poetry),
    )


def _remove_other_python() -> None:
    """An environment of another Python, or of one that is gone, cannot be kept."""
    environment = ROOT / ".venv"
    question = "import platform; print(platform.python_version())"
    try:
        answer = subprocess.run(
            [environment / "bin" / "python", "-c", question],
            check=False,
            capture_output=True,
            text=True,
        ).stdout.strip()
    except OSError:
        answer = ""
    if answer != platform.python_version():
        shutil.rmtree(environment, ignore_errors=True)


def _index(python: Path) -> str:
    """The package index that pip itself uses here."""
    given = os.environ.get("POETRY_PYPI_MIRROR_URL") or os.environ.get("PIP_INDEX_URL")
    if given:
        return given
    try:
        return tools.run([str(python), "-m", "pip", "config", "get", "global.index-url"]).strip()
    except Failed:
        question = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
        return tools.run([str(python), "-c", question]).strip()


if __name__ == "__main__":
    sys.exit(main())
