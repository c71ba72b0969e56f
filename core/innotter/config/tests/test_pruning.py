"""Every scheduled pruning keeps up with new rows and uses an index."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts import account_mail, challenges, devices, names, registrations
from innotter.accounts import sessions as accounts
from innotter.common import throttling
from innotter.config.schedule import EVERY
from innotter.events import services as events
from innotter.mail import queueing as mail
from innotter.pages import names as uuids
from innotter.posts import services as posts

PRUNINGS: dict[str, tuple[Any, Any]] = {
    "innotter.accounts.prune_devices": (devices, devices.prune_devices),
    "innotter.accounts.prune_challenges": (challenges, challenges.prune_challenges),
    "innotter.accounts.prune_registrations": (registrations, registrations.prune_registrations),
    "innotter.accounts.prune_names": (names, names.prune_names),
    "innotter.pages.prune_uuids": (uuids, uuids.prune_uuids),
    "innotter.accounts.prune_account_mail": (account_mail, account_mail.prune_account_mail),
    "innotter.accounts.prune_sessions": (accounts, accounts.prune_sessions),
    "innotter.common.prune_usage": (throttling, throttling.prune_usage),
    "innotter.events.prune_outbox": (events, events.prune_outbox),
    "innotter.mail.prune_deliveries": (mail, mail.prune_deliveries),
}


def test_every_pruning_is_here() -> None:
    assert {name for name in EVERY if ".prune_" in name} == PRUNINGS.keys()


@pytest.mark.parametrize("name", PRUNINGS)
def test_it_deletes_a_thousand_rows_a_second_where_it_must(name: str) -> None:
    """More than so many refreshes, logins or events a second one database does not see."""
    module, _ = PRUNINGS[name]
    a_run = module.PRUNED_AT_ONCE * module.PRUNINGS
    assert a_run / EVERY[name].total_seconds() >= 1_000
    assert EVERY[name] >= timedelta(minutes=1)


@pytest.mark.parametrize(
    "prune", [prune for _, prune in PRUNINGS.values()] + [posts._clear_old_keys]
)
def test_it_finds_what_it_deletes_by_an_index(db: None, prune: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        prune()
    statements = [query["sql"] for query in queries if "DELETE" in query["sql"]]
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
