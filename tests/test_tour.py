"""The tour of docs/tour.md, taken from its beginning to its end."""

import re
import subprocess

import pytest

from dev.demo.texts import read_people
from dev.paths import ROOT
from dev.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")


TOUR = (ROOT / "docs" / "tour.md").read_text()


def test_the_tour_can_be_taken_in_the_demo_data() -> None:
    """Nobody there has the names of those who arrive."""
    [arriving] = re.findall(r"^for name in (.*); do$", TOUR, re.MULTILINE)
    founded = set(re.findall(r'"uuid": "([\w-]+)"', TOUR))
    people = read_people()
    assert not set(arriving.split()) & {person.username for person in people}
    assert not founded & {page.uuid for person in people for page in person.pages}


def test_the_tour_ends_well(stack: Stack) -> None:
    script = "".join(re.findall(r"^```sh\n(.*?)^```", TOUR, re.MULTILINE | re.DOTALL))
    script = script.replace("http://localhost:8000", stack.core_url)
    script = script.replace("http://localhost:8001", stack.stats_url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    # All but the one refusal that it shows went well.
    assert done.stdout.count('"status":403') == 1
    assert "The roses are out!" in done.stdout
