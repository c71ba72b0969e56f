"""What a red test says."""

import pytest

from dev.assertions import assert_table, wait_until
from dev.short_reports import LINES, shortened


def test_what_a_table_lacks_is_named_line_by_line() -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_table("TABLE", __file__, ["GET /a", "GET /gone"], ["GET /a", "PUT /b", "PUT /c"])
    assert str(failure.value).splitlines() == [
        "no line in TABLE (dev/tests/test_assertions.py) for: PUT /b",
        "no line in TABLE (dev/tests/test_assertions.py) for: PUT /c",
        "TABLE (dev/tests/test_assertions.py) has a line for what is not there: GET /gone",
    ]


def test_a_wait_that_fails_says_what_was_expected() -> None:
    found: list[int] = []
    with pytest.raises(AssertionError, match=r"not within 0 s: .*len\(found\) == 3"):
        wait_until(lambda: len(found) == 3, seconds=0)


def test_a_failure_shows_the_end_of_a_long_log() -> None:
    text = "\n".join(str(number) for number in range(1_700))
    lines = shortened(text).splitlines()
    assert lines[0] == "(1,680 lines before these; -vv shows them)"
    assert lines[1:] == text.splitlines()[-LINES:]
    assert shortened("one\ntwo\n") == "one\ntwo\n"
