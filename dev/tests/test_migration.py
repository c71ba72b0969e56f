"""`make migration` says what a rolling deploy would not survive."""

import pytest
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from dev.migration import breaking, main


def added(**options: object) -> Operation:
    return migrations.AddField("page", "website", models.CharField(max_length=9, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "breaks"),
    [
        (added(), True),
        # Django drops a default of Python's as soon as old rows have it.
        (added(default=""), True),
        (added(db_default=""), False),
        (added(null=True), False),
        (migrations.RemoveField("page", "website"), True),
        (migrations.RenameField("page", "website", "url"), True),
        (migrations.RunSQL("SELECT 1"), False),
    ],
)
def test_what_breaks_the_version_that_still_runs_is_named(
    operation: Operation, breaks: bool
) -> None:
    assert bool(breaking([operation])) == breaks


@pytest.mark.parametrize("words", [[], ["pages"], ["pages", "Page Website"], ["pages", "../x"]])
def test_a_wrong_call_is_told_the_right_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert 'ARGS="pages page_website"' in line
