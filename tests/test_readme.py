"""The walk through the README, as a newcomer types it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.inbox import serve_inbox
from dev.ports import Port
from dev.stack import Stack
from tests.people import eventually, mails_to

pytestmark = pytest.mark.xdist_group("stack")

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_walk_ends_as_it_says(stack: Stack) -> None:
    [script] = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    script = script.replace("http://localhost:8000", stack.core_url)
    script = script.replace("http://localhost:8001", stack.stats_url)
    inbox = serve_inbox(Port(), stack.env["AWS_ENDPOINT_URL"])
    script = script.replace("http://localhost:8025", inbox.rstrip("/"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *_, feed, statistics, refusal = documents(done.stdout)
    assert [post["content"] for post in feed["results"]] == ["Fog over the water."]
    totals = statistics["totals"]
    assert (totals["posts"], totals["followers"], totals["likes"]) == (1, 1, 1)
    assert (refusal["status"], refusal["code"]) == (403, "forbidden")
    assert "Fog over the water." in str(
        eventually(lambda: mails_to(stack, "boris@example.com"), len)
    )


def documents(text: str) -> list[Any]:
    """The JSON documents that follow each other in a text."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def test_docs_pages_need_nothing_from_elsewhere(stack: Stack) -> None:
    """A self-hosted system is looked at where there may be no internet."""
    for page in (f"{stack.core_url}/api/v1/docs", f"{stack.stats_url}/docs"):
        html = httpx.get(page).raise_for_status().text
        assets = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert len(assets) >= 2
        for asset in assets:
            assert not asset.startswith(("http:", "https:", "//"))
            httpx.get(str(httpx.URL(page).join(asset))).raise_for_status()
