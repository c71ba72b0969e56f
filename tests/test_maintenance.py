"""Read-only by one command: the processes that run believe it, none is restarted."""

import subprocess

import httpx
import pytest

from dev.stack import Stack, manage
from tests.people import Person, eventually, totals

pytestmark = pytest.mark.xdist_group("stack")


def test_when_the_command_returns_all_processes_only_read(stack: Stack) -> None:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    said = maintenance(stack, "on", "--reason", "A new version comes.")
    try:
        assert said.startswith("Read-only since ")
        # Each process of the API has its turn.
        for _ in range(12):
            refused = ann.post(f"/pages/{uuid}/posts", content="Not now.", expect=503)
            assert refused["code"] == "maintenance"
            bob.get("/feed")
        assert "A new version comes." in httpx.get(f"{stack.core_url}/@{uuid}").text
        metrics = httpx.get(stack.metrics_url("relay")).text
        assert "innotter_maintenance 1.0" in metrics
    finally:
        assert maintenance(stack, "off") == "Writes go on.\n"
    patient = Person(stack, ann.name, ann.token, patient=True)
    patient.post(f"/pages/{uuid}/posts", content="Now.", expect=201)
    eventually(bob.inbox, len)
    counts = eventually(lambda: totals(ann, uuid), lambda counts: counts.get("posts") == 1)
    assert counts["followers"] == 1


def maintenance(stack: Stack, *words: str) -> str:
    command = manage("maintenance", *words)
    done = subprocess.run(command, env=stack.env, check=True, capture_output=True, text=True)
    return done.stdout
