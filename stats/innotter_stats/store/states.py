"""Writes what overwrites: the higher revision wins, in any order of arrival. Of what is deleted
there is a mark that expires when no event can come any more, and nothing else; nothing is written
beside it, but a higher revision takes it away."""

import time
from typing import TYPE_CHECKING
from uuid import UUID

from innotter_stats.facts import Existence, Fact, UserFact
from innotter_stats.store.table import (
    MARKER_LIFE,
    Item,
    Row,
    Table,
    claim_row,
    key,
    profile_row,
    user_row,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# What a mark leaves nothing of.
OF_PAGE = ("owner_id", "name", "uuid")
OF_USER = ("blocked", "leaving")


def remember(table: Table, fact: Fact | UserFact | Existence) -> None:
    match fact:
        case Existence(is_there=True):
            _take_mark_away(table, fact)
        case Existence():
            _mark_deleted(table, fact)
        case UserFact():
            _remember_of_user(table, fact)
        case Fact():
            _remember_of_page(table, fact)


def forget_counters(table: Table, page_id: UUID) -> None:
    """Of a page that is deleted, and nothing of one that was told of anew since. Called when the
    events that came with the deletion are counted."""
    pk, profile = profile_row(page_id)
    # What is counted after the mark is taken away is not among them.
    found = [sort_key for sort_key in table.items(pk) if sort_key != profile]
    if "deleted" in table.item((pk, profile)):
        table.delete_all((pk, sort_key) for sort_key in found)


def _remember_of_user(table: Table, fact: UserFact) -> None:
    table.overwrite(
        user_row(fact.user_id),
        {fact.name: "yes" if fact.value else "no"},
        number=f"{fact.name}_revision",
        is_now=fact.revision,
        unless="deleted",
    )


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


def _take_mark_away(table: Table, fact: Existence) -> None:
    """Where there is one; of none, too, the revision is kept: a deletion of before may be late."""
    table.overwrite(
        _row(fact),
        {},
        number="deleted_revision",
        is_now=fact.revision,
        without=("deleted", "expires_at"),
    )


def _mark_deleted(table: Table, fact: Existence) -> None:
    """The mark first: from then on nothing is written beside it."""
    row = _row(fact)
    mark = {"deleted": "yes"}
    before = table.overwrite(row, mark, number="deleted_revision", is_now=fact.revision)
    if before is None:
        return
    if given_up := _uuid(before):
        table.delete(claim_row(given_up, fact.id))
    forgotten = OF_PAGE if fact.kind == "page" else OF_USER
    table.reduce(
        row,
        [*forgotten, *(f"{name}_revision" for name in forgotten)],
        expires_at=_expiry(),
        where=("deleted_revision", fact.revision),
    )


def _row(fact: Existence) -> Row:
    return profile_row(fact.id) if fact.kind == "page" else user_row(fact.id)


def _uuid(profile: Item) -> str | None:
    return profile["uuid"]["S"] if "uuid" in profile else None


def _expiry() -> "AttributeValueTypeDef":
    return {"N": str(int(time.time() + MARKER_LIFE.total_seconds()))}


def _claim(table: Table, uuid: str, page_id: UUID) -> None:
    """From now on the page is looked for under this uuid too. Pages that claim the same one have
    a row each, so that it does not matter whose events come first."""
    table.put_all([{**key(claim_row(uuid, page_id)), "page_id": {"S": str(page_id)}}])
