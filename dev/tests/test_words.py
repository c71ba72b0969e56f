"""Names that a newcomer would have to translate do not come back.

A word is found in prose and in identifiers alike: `FrontDoor`, `front_door` and "the front door"
are the same words.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.assertions import assert_none
from dev.paths import ROOT

# What we don't write, and what we write instead.
WORDS = {
    "house": "system, stack",
    "room": "app; space",
    "rooms": "apps",
    "door": "endpoint, gateway",
    "doors": "endpoints",
    "world": "demo data; network; public",
    "worlds": "networks",
    "road": "path, TCP proxy",
    "whoever": "the client, the worker, everybody who",
    "fate": "outcome",
    "fates": "outcomes",
    "stumbled": "transient failure",
    "doubtful": "unknown outcome",
    "set aside": "deferred",
    "put back": "requeued",
    "put off": "unavailable",
    "give back": "release, refund",
    "wishes": "changes",
    "deed": "action",
    "deeds": "actions",
    "heed": "handle",
    "prove who": "Authentication required.",
    "too often": "Too many requests.",
    "address taken": "UuidTaken; uuid of a page",
    "new address": "new uuid",
}
# Text that is not ours to choose, or that is data.
QUOTED = re.compile(r"hello, world|moulinrouge.*|`doubtful`", re.IGNORECASE)
LEFT_ALONE = (
    "dev/demo/*.toml",
    "core/innotter/*/migrations/*",
    "dev/tests/test_words.py",
    # It reads what rows of former versions hold.
    "core/innotter/mail/tests/test_migrations.py",
    "poetry.lock",
)
TEXT = re.compile(r"|\.(css|example|html|js|json|md|po|py|sh|toml|txt|ya?ml)")


def files() -> Iterator[Path]:
    """The tracked ones that hold text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        alone = any(Path(name).full_match(pattern) for pattern in LEFT_ALONE)
        if file.is_file() and TEXT.fullmatch(file.suffix) and not alone:
            yield file


def plain(line: str) -> str:
    """Its words in lower case, identifiers taken apart, with a space between and around them."""
    line = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", QUOTED.sub("", line))
    return f" {' '.join(re.findall(r'[a-z]+|[^a-z\W_]+', line.lower()))} "


def found_in(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        words = plain(line)
        for word, instead in WORDS.items():
            if f" {word} " in words:
                yield f"{number}: {word!r}, rather: {instead}"


def test_no_word_of_the_list_is_written() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files()
        for line in found_in(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert_none(found)


@pytest.mark.parametrize(
    "line", ["the front door", "class FrontDoor:", "front_door = 1", "FRONT_DOOR", "Door-to-door"]
)
def test_a_word_is_found_in_prose_and_in_names(line: str) -> None:
    assert list(found_in(line))


@pytest.mark.parametrize("line", ["Hello, world", "lighthouse", "indoor", "broad", "deeded"])
def test_a_word_within_another_is_another(line: str) -> None:
    assert not list(found_in(line))
