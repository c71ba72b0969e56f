"""The Dockerfiles and compose.yaml name each other's stages and the files that there are.

Neither hadolint nor Compose looks for them, and images are built by `make rehearse` alone.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.paths import ROOT

DOCKERFILES = sorted((ROOT / "deploy").glob("*/Dockerfile"))
COMPOSE = ROOT / "deploy" / "compose.yaml"
BUILD = re.compile(
    r"^\s*build: \{.*dockerfile: (?P<file>[\w/]+)(?:, target: (?P<target>\w+))?", re.M
)


def instructions(dockerfile: Path, word: str) -> list[str]:
    text = dockerfile.read_text().replace("\\\n", "")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)


def stages(dockerfile: Path) -> list[str]:
    return re.findall(r"^FROM \S+ AS ([\w-]+)$", dockerfile.read_text(), re.MULTILINE)


def copied(dockerfile: Path) -> dict[str, str]:
    """Target by source, of what comes from the repository."""
    copies = [line.split() for line in instructions(dockerfile, "COPY") if "--from" not in line]
    return {source: words[-1] for words in copies for source in words[:-1]}


def test_compose_builds_stages_that_there_are() -> None:
    builds = [(ROOT / each["file"], each["target"]) for each in BUILD.finditer(COMPOSE.read_text())]
    assert {file for file, _ in builds} == set(DOCKERFILES)
    for file, target in builds:
        assert target is None or target in stages(file)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)
def test_a_dockerfile_copies_files_that_there_are(dockerfile: Path) -> None:
    sources = copied(dockerfile)
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    named = re.findall(r"--from=(\S+)", dockerfile.read_text())
    assert set(named) <= set(stages(dockerfile))


def test_each_entrypoint_is_in_an_image_and_may_be_run() -> None:
    scripts = set()
    for dockerfile in DOCKERFILES:
        sources = copied(dockerfile)
        for entrypoint in re.findall(r'^ENTRYPOINT \["(\S+)"\]$', dockerfile.read_text(), re.M):
            script = next(source for source, target in sources.items() if target == entrypoint)
            assert os.access(ROOT / script, os.X_OK), script
            scripts.add(ROOT / script)
    assert scripts == set((ROOT / "deploy").glob("*/*entrypoint.sh"))


def test_what_runs_on_cannot_write_the_signing_keys_and_a_command_can() -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    mounts = {name: service.get("volumes", []) for name, service in services.items()}
    writers = {name for name, volumes in mounts.items() if "keys:/keys" in volumes}
    assert writers == {"keys", "manage"}
    assert "keys:/keys:ro" in mounts["core"]
    manage = services["manage"]
    # `up` doesn't start it; what `run` is given follows.
    assert manage["profiles"] == ["manage"]
    assert manage["entrypoint"] == ["/entrypoints/tools.sh", "manage"]
