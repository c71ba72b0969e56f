"""Statistics equals the truth, and two commands of the core see to it."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction

from dev.stack import Stack
from innotter.accounts.leaving import leave, restore
from innotter.accounts.models import User
from innotter.common.errors import Conflict, Forbidden, Invalid, NotFound
from innotter.conftest import CLIENT, PASSWORD, new_page, new_user
from innotter.moderation.services import block_user, unblock_user
from innotter.pages.models import Page
from innotter.pages.services import delete_page, edit_page
from innotter.statistics.selectors import differences, unknown, user_differences
from innotter.statistics.services import recount
from innotter.statistics.tests.actions import random_action, recorded
from innotter_contracts.events import Event
from innotter_contracts.ids import new_id
from innotter_stats.store import Store, create_client, create_table
from tests.people import Person, eventually, run, totals

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


# --- After a backup was restored


class Backup:
    """All rows of the core's database, as they were when it was made."""

    def __init__(self) -> None:
        self._tables = connection.introspection.table_names()
        with connection.cursor() as cursor:
            for table in self._tables:
                cursor.execute(f'CREATE TEMPORARY TABLE "saved_{table}" AS TABLE "{table}"')

    def restore(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(f"TRUNCATE {', '.join(self._tables)}")
            for table in self._tables:
                cursor.execute(
                    "SELECT string_agg(quote_ident(column_name), ', ') FROM "
                    "information_schema.columns WHERE table_schema = 'public' "
                    "AND table_name = %s AND is_generated = 'NEVER'",
                    [table],
                )
                [columns] = cursor.fetchone()
                saved = f'SELECT {columns} FROM "saved_{table}"'  # noqa: S608
                cursor.execute(f'INSERT INTO "{table}" ({columns}) {saved}')


def random_state(chance: random.Random, admin: User, people: list[User], pages: list[Page]) -> None:
    """Somebody is blocked, leaves, or comes back; a page comes or goes."""
    user, page = chance.choice(people), chance.choice(pages)
    actions: list[Callable[[], object]] = [
        lambda: block_user(actor=admin, user=user),
        lambda: unblock_user(actor=admin, user=user),
        lambda: leave(actor=user, client=CLIENT, current_password=PASSWORD, session_id=None),
        lambda: restore(actor=User.objects.get(pk=user.pk)),
        lambda: pages.append(new_page(user)),
        lambda: delete_page(actor=page.owner, page=page),
        lambda: edit_page(actor=page.owner, page=page, uuid=f"page-{new_id().hex[-12:]}"),
    ]
    with suppress(Conflict, Forbidden, Invalid, NotFound):
        chance.choice(actions)()


def everything_that_differs() -> list[object]:
    others = [stored for some in unknown(at_once=100) for stored in some]
    pages, users = (list(model.objects.values_list("pk", flat=True)) for model in (Page, User))
    return [*differences(pages), *user_differences(users), *others]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("restored", ["core", "table"])
def test_when_one_side_is_older_all_is_told_anew_and_the_two_agree(
    table: str, restored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(restored)
    monkeypatch.setenv("STATISTICS_TABLE", table)
    store = Store(create_client(), table)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=10)) as clock:
        admin = new_user("an-admin", role=User.Role.ADMIN)
        people = [new_user(f"user-{n}") for n in range(4)]
        pages = [new_page(person, is_private=n == 0) for n, person in enumerate(people)]

        def history() -> None:
            for _ in range(25):
                clock.shift(timedelta(hours=chance.random()))
                random_action(chance, people, pages)
                random_state(chance, admin, people, pages)

        history()
        before = recorded()
        deliver(before, store, chance)
        backup = Backup()
        history()
        since = [event for event in recorded() if event not in before]
        late = since[::2]
        if restored == "core":
            store.apply(event for event in since if event not in late)
            backup.restore()
        clock.shift(timedelta(hours=1))
        assert everything_that_differs()

        # Late events of what was lost come among all that is told anew; of a table that was
        # restored, the events since are never told again.
        told = len(recorded())
        call_command("replay_statistics", "--all", stdout=StringIO())
        anew = recorded()[told:]
        deliver([*anew, *late] if restored == "core" else anew, store, chance)
        # What only came then is forgotten by the next time.
        told = len(recorded())
        call_command("replay_statistics", "--all", stdout=StringIO())
        deliver(recorded()[told:], store, chance)
        assert everything_that_differs() == []


# --- The commands, in the stack


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
    code, said = run(stack, "audit_statistics", f"--page={uuid.upper()}", "--wait", "0")
    assert code == 1
    assert f"page {page['id']}: likes in total is 6, not 1" in said
    assert "likes before" in said

    code, said = run(stack, "replay_statistics", f"--page={uuid}")
    assert (code, said) == (0, "1 pages are on their way to statistics\n")
    # Life goes on, on top of it.
    bob.post(f"/pages/{uuid}/follow")
    eventually(lambda: totals(ann, uuid), lambda counts: counts["likes"] == 1)
    eventually(lambda: totals(ann, uuid), lambda counts: counts["followers"] == 1)
    code, said = run(stack, "audit_statistics", f"--page={uuid}", "--wait", "30")
    assert (code, said) == (0, "1 pages, 0 differences\n")
