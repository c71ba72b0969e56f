"""Writes what overwrites: the higher revision wins, in any order of arrival."""

from uuid import UUID

from innotter_stats.facts import Block, Fact
from innotter_stats.store.table import Table, claim_row, key, profile_row, user_row


def remember(table: Table, fact: Fact | Block) -> None:
    if isinstance(fact, Block):
        values = {"blocked": "yes" if fact.blocked else "no"}
        row = user_row(fact.user_id)
        table.overwrite(row, values, number="blocked_revision", is_now=fact.revision)
        return
    before = table.overwrite(
        profile_row(fact.page_id),
        {fact.name: fact.value},
        number=f"{fact.name}_revision",
        is_now=fact.revision,
    )
    if before is None:
        return
    given_up = before["uuid"]["S"] if "uuid" in before else None
    if fact.name == "deleted" and given_up:
        table.delete(claim_row(given_up, fact.page_id))
    if fact.name == "uuid" and "deleted" not in before:
        _claim(table, fact.value, fact.page_id)
        if given_up and given_up.lower() != fact.value.lower():
            table.delete(claim_row(given_up, fact.page_id))


def _claim(table: Table, uuid: str, page_id: UUID) -> None:
    """From now on the page is looked for under this uuid too. Pages that claim the same one have
    a row each, so that it does not matter whose events come first."""
    table.put_all([{**key(claim_row(uuid, page_id)), "page_id": {"S": str(page_id)}}])
