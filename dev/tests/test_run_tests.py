"""What `make test` passes on to pytest, and what pytest starts by itself."""

import os
import subprocess
import sys

import pytest

from dev.paths import ROOT
from dev.run_tests import of_one_file, property_test_options


def test_an_ordinary_run_draws_the_same_each_time() -> None:
    assert property_test_options(["tests", "-x"]) == (["--hypothesis-seed=0", "tests", "-x"], {})


def test_a_nightly_run_draws_anew_and_prints_how_to_repeat_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = (property_test_options(["--nightly", "core"]) for _ in range(2))
    assert first != second
    told = capsys.readouterr().out.splitlines()[0]
    [repeat] = [word for word in told.split() if word.startswith("--nightly=")]
    assert property_test_options([repeat, "core"]) == first


@pytest.mark.parametrize(
    ("words", "one"),
    [
        ("dev/tests/test_run_tests.py", True),
        ("-x dev/tests/test_run_tests.py::test_a dev/tests/test_run_tests.py::test_b", True),
        ("dev/tests/test_run_tests.py -k draws", True),
        ("dev/tests", False),
        ("dev/tests/test_run_tests.py tests/test_tour.py", False),
        ("-k draws", False),
        ("", False),
    ],
)
def test_the_tests_of_one_file_run_without_workers(words: str, one: bool) -> None:
    assert of_one_file(words.split()) == one


def test_plain_pytest_starts_what_its_tests_ask_for_and_nothing_else() -> None:
    tests = [
        "contracts/innotter_contracts/tests/test_ids.py",
        "core/innotter/events/tests/test_outbox.py",
    ]
    # As in an editor, which knows nothing of ours.
    env = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
    del env["DATABASE_URL"]
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    started = [name for name in ("PostgreSQL", "RabbitMQ", "AWS") if name in run.stdout]
    assert started == ["PostgreSQL"]


def test_modules_are_compiled_once_whatever_the_environment_says() -> None:
    told = "import os, sys, dev; print(sys.dont_write_bytecode, sorted(os.environ))"
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.check_output([sys.executable, "-c", told], cwd=ROOT, env=env, text=True)
    assert said.startswith("False")
    assert "PYTHONDONTWRITEBYTECODE" not in said
