"""Writes what overwrites: the higher revision wins, in any order of arrival. What is deleted stays
so: of it there is a mark that expires when no event can come any more, and nothing else."""

import time
from typing import TYPE_CHECKING
from uuid import UUID

from innotter_stats.facts import Fact, UserFact
from innotter_stats.store.table import (
    MARKER_LIFE,
    Item,
    Table,
    claim_row,
    key,
    profile_row,
    user_row,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

FORGOTTEN = ("owner_id", "name", "uuid")


def remember(table: Table, fact: Fact | UserFact) -> None:
    if isinstance(fact, UserFact):
        _remember_of_user(table, fact)
    elif fact.name == "deleted":
        _mark_deleted(table, fact)
    else:
        _remember_of_page(table, fact)


def forget_counters(table: Table, page_id: UUID) -> None:
    """Of a page that is deleted. Called when the events that came with the deletion are counted."""
    pk, profile = profile_row(page_id)
    table.delete_all((pk, sort_key) for sort_key in table.items(pk) if sort_key != profile)


def _remember_of_user(table: Table, fact: UserFact) -> None:
    row = user_row(fact.user_id)
    if fact.name == "deleted":
        table.put_all([{**key(row), "deleted": {"S": "yes"}, "expires_at": _expiry()}])
        return
    values: dict[str, str] = {fact.name: "yes" if fact.value else "no"}
    table.overwrite(row, values, number=f"{fact.name}_revision", is_now=fact.revision)


def _remember_of_page(table: Table, fact: Fact) -> None:
    before = table.overwrite(
        profile_row(fact.page_id),
        {fact.name: fact.value},
        number=f"{fact.name}_revision",
        is_now=fact.revision,
        unless="deleted",
    )
    if before is None or fact.name != "uuid":
        return
    _claim(table, fact.value, fact.page_id)
    given_up = _uuid(before)
    if given_up and given_up.lower() != fact.value.lower():
        table.delete(claim_row(given_up, fact.page_id))


def _mark_deleted(table: Table, fact: Fact) -> None:
    """The mark first: from then on nothing is written beside it."""
    row = profile_row(fact.page_id)
    before = table.overwrite(
        row, {fact.name: fact.value}, number="deleted_revision", is_now=fact.revision
    )
    if before is None:
        return
    if given_up := _uuid(before):
        table.delete(claim_row(given_up, fact.page_id))
    gone = [*FORGOTTEN, *(f"{name}_revision" for name in FORGOTTEN)]
    table.reduce(row, gone, expires_at=_expiry())


def _uuid(profile: Item) -> str | None:
    return profile["uuid"]["S"] if "uuid" in profile else None


def _expiry() -> "AttributeValueTypeDef":
    return {"N": str(int(time.time() + MARKER_LIFE.total_seconds()))}


def _claim(table: Table, uuid: str, page_id: UUID) -> None:
    """From now on the page is looked for under this uuid too. Pages that claim the same one have
    a row each, so that it does not matter whose events come first."""
    table.put_all([{**key(claim_row(uuid, page_id)), "page_id": {"S": str(page_id)}}])
