"""docs/operations.md gives each command as it is run beside `make run` and in compose."""

import re
import shlex

import pytest
from django.core.management import get_commands, load_command_class

from dev.paths import ROOT

ROW = re.compile(
    r"""^\| .* \| `make manage ARGS=(["'])(?P<make>.*)\1` """
    r"""\| `docker compose run --rm manage (?P<compose>.*)` \|$""",
    re.MULTILINE,
)
PAGE = (ROOT / "docs" / "operations.md").read_text()
ROWS = [(shlex.split(row["make"]), shlex.split(row["compose"])) for row in ROW.finditer(PAGE)]
SECTIONS = {text.partition("\n")[0]: text.strip() for text in PAGE.split("\n## ")[1:]}
# Processes of `make run` and of compose themselves.
PROCESSES = {"run"}


def test_each_command_of_ours_has_a_line() -> None:
    ours = {name for name, app in get_commands().items() if app.startswith("innotter.")}
    assert ours - PROCESSES - {make[0] for make, _ in ROWS} == set(), "docs/operations.md lacks it"


@pytest.mark.parametrize("title", SECTIONS)
def test_each_section_ends_with_who_has_walked_it(title: str) -> None:
    _, _, end = SECTIONS[title].rpartition("\n\n")
    assert end.startswith("Walked by "), f"{title}: do what it says, then say so"
    named = re.findall(r"`(\S+/\S+)`", end)
    assert named or "by hand on 20" in end
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(("make", "compose"), ROWS, ids=[" ".join(make) for make, _ in ROWS])
def test_both_forms_are_the_same_and_the_command_takes_them(
    make: list[str], compose: list[str]
) -> None:
    assert make == compose
    name, *arguments = make
    command = load_command_class(get_commands()[name], name)
    # Raises CommandError for what the command does not know.
    command.create_parser("manage.py", name).parse_args(arguments)
