"""Every scheduled pruning keeps up with new rows and uses an index."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts.account_mail import prune_account_mail
from innotter.accounts.challenges import prune_challenges
from innotter.accounts.devices import prune_devices
from innotter.accounts.names import prune_names
from innotter.accounts.registrations import prune_registrations
from innotter.accounts.sessions import prune_sessions
from innotter.common.pruning import AT_ONCE, STEPS
from innotter.common.throttling import prune_usage
from innotter.config.schedule import EVERY
from innotter.events.services import prune_outbox
from innotter.mail.queueing import prune_deliveries
from innotter.pages.names import prune_uuids
from innotter.posts.services import prune_keys

PRUNINGS: dict[str, Callable[[], int]] = {
    "innotter.accounts.prune_devices": prune_devices,
    "innotter.accounts.prune_challenges": prune_challenges,
    "innotter.accounts.prune_registrations": prune_registrations,
    "innotter.accounts.prune_names": prune_names,
    "innotter.pages.prune_uuids": prune_uuids,
    "innotter.posts.prune_keys": prune_keys,
    "innotter.accounts.prune_account_mail": prune_account_mail,
    "innotter.accounts.prune_sessions": prune_sessions,
    "innotter.common.prune_usage": prune_usage,
    "innotter.events.prune_outbox": prune_outbox,
    "innotter.mail.prune_deliveries": prune_deliveries,
}


def test_every_pruning_is_here() -> None:
    assert {name for name in EVERY if ".prune_" in name} == PRUNINGS.keys()


@pytest.mark.parametrize("name", PRUNINGS)
def test_it_deletes_a_thousand_rows_a_second_where_it_must(name: str) -> None:
    """More than so many refreshes, logins or events a second one database does not see."""
    assert AT_ONCE * STEPS / EVERY[name].total_seconds() >= 1_000
    assert EVERY[name] >= timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_each_begins_its_own_transactions() -> None:
    for prune in PRUNINGS.values():
        assert prune() == 0


@pytest.mark.parametrize("name", PRUNINGS)
def test_it_finds_what_it_deletes_by_an_index(db: None, name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        PRUNINGS[name]()
    statements = [query["sql"] for query in queries if "SKIP LOCKED" in query["sql"]]
    assert statements
    with connection.cursor() as cursor:
        # Of an empty table every plan is cheap: what is left here is what a large one gets.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            cursor.execute("EXPLAIN " + statement)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan
            # The innermost step, which looks for what is old.
            assert any(f"{word} <" in plan for word in ("id", "_at", "until", "_until")), plan
            assert "Index Cond" in plan
