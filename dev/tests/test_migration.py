"""`make migration`."""

import pytest

from dev.migration import main


@pytest.mark.parametrize("words", [[], ["pages"], ["pages", "Page Website"], ["pages", "../x"]])
def test_a_wrong_call_is_told_the_right_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert 'ARGS="pages page_website"' in line
