"""What `make test` passes on to pytest."""

import pytest

from dev.run_tests import property_test_options


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
