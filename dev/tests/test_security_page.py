"""docs/security.md names a test for what it says: each of them exists."""

import re

from dev.paths import ROOT

FOLDERS = ("contracts", "core", "stats", "dev", "tests")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text()))
    assert len(named) > 50
    existing = {
        name
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)\(", file.read_text(), re.M)
    }
    assert named - existing == set()
