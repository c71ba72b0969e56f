"""The tour of docs/tour.md, taken from its beginning to its end."""

import re
import subprocess

import pytest

from dev.house import House
from dev.paths import ROOT

pytestmark = pytest.mark.xdist_group("house")


def test_the_tour_ends_well(house: House) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "tour.md").read_text(), re.M | re.S)
    script = "".join(blocks)
    script = script.replace("http://localhost:8000", house.core_url)
    script = script.replace("http://localhost:8001", house.stats_url)
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
