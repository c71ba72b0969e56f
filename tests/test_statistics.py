"""Statistics equals the truth, and two commands of the core see to it."""

import os
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine

from dev.stack import Stack, manage
from innotter.conftest import new_page, new_user
from innotter.statistics.selectors import differences
from innotter.statistics.services import recount
from innotter.statistics.tests.actions import random_action, recorded
from innotter_contracts.events import Event
from innotter_contracts.ids import new_id
from innotter_stats.store import Store, create_client, create_table
from tests.people import Person, eventually, totals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# --- Whatever happens, and however it is delivered


@pytest.fixture
def table() -> Iterator[str]:
    client, name = create_client(), f"test-{new_id()}"
    create_table(client, name)
    yield name
    client.delete_table(TableName=name)


class Crash(Exception):
    pass


class Crashing:
    """A client whose process dies before or after some of its calls."""

    def __init__(self, client: "DynamoDBClient", chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self.crashes = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name == "exceptions":
            return found

        def call(*words: Any, **named: Any) -> Any:
            if self._chance.random() < 0.05:
                self.crashes += 1
                raise Crash
            answer = found(*words, **named)
            if self._chance.random() < 0.05:
                self.crashes += 1
                raise Crash
            return answer

        return call


def deliver(events: list[Event], store: Store, chance: random.Random) -> None:
    """At least once, in no order, in batches of any size, until none is owed any more."""
    owed = [*events, *chance.sample(events, len(events) // 4)]
    chance.shuffle(owed)
    while owed:
        size = chance.randint(1, 25)
        batch, owed = owed[:size], owed[size:]
        try:
            store.apply(batch)
        except Crash:
            owed = [*batch, *owed]
            chance.shuffle(owed)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(2))
def test_any_history_however_delivered_is_the_truth(
    table: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    # Longer ago than the outbox remembers.
    now = datetime.now(UTC) - timedelta(days=10)
    with time_machine.travel(now) as clock:
        ann, *people = [new_user(f"user-{n}") for n in range(5)]
        pages = [new_page(ann, is_private=n == 0) for n in range(3)]
        for _ in range(80):
            clock.shift(timedelta(hours=chance.random() * 4))
            if chance.random() < 0.04:
                recount(page_id=chance.choice(pages).id)
            else:
                random_action(chance, people, pages)
    client: Any = Crashing(create_client(), chance)
    deliver(recorded(), Store(client, table), chance)
    assert client.crashes
    monkeypatch.setenv("STATISTICS_TABLE", table)
    assert differences([page.id for page in pages]) == []


# --- The commands, in the stack


def run(stack: Stack, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        manage(*words), env=stack.env, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def spoil(stack: Stack, page_id: str) -> None:
    """As if five likes had been counted that nobody gave, on a day without events."""
    table = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for row in ("totals", "day#2026-01-31"):
        table.update_item(
            TableName=stack.env["STATISTICS_TABLE"],
            Key={"pk": {"S": f"page#{page_id}"}, "sk": {"S": row}},
            UpdateExpression="ADD likes :five",
            ExpressionAttributeValues={":five": {"N": "5"}},
        )


@pytest.mark.xdist_group("stack")
def test_what_is_wrong_is_found_and_counted_anew(stack: Stack) -> None:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob")
    page = ann.post("/pages", name="The harbour", expect=201)
    uuid = page["uuid"]
    post = ann.post(f"/pages/{uuid}/posts", content="Fog.", expect=201)
    bob.post(f"/posts/{post['id']}/like")
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("likes") == 1)

    spoil(stack, page["id"])
    code, said = run(stack, "audit_statistics", "--page", uuid.upper(), "--wait", "0")
    assert code == 1
    assert f"page {page['id']}: likes in total is 6, not 1" in said
    assert "likes before" in said

    code, said = run(stack, "replay_statistics", "--page", uuid)
    assert (code, said) == (0, "1 pages are on their way to statistics\n")
    # Life goes on, on top of it.
    bob.post(f"/pages/{uuid}/follow")
    eventually(lambda: totals(ann, uuid), lambda counts: counts["likes"] == 1)
    eventually(lambda: totals(ann, uuid), lambda counts: counts["followers"] == 1)
    code, said = run(stack, "audit_statistics", "--page", uuid, "--wait", "30")
    assert (code, said) == (0, "1 pages, 0 differences\n")
