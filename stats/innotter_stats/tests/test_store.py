from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import boto3
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from innotter_contracts.counting import day_of, deltas
from innotter_contracts.events import METRICS, Event, Metric, milliseconds
from innotter_contracts.ids import new_id
from innotter_stats.store import (
    MARKER_LIFE,
    PageStatistics,
    Store,
    StoreUnavailable,
    calls_for,
    create_table,
)
from innotter_stats.store.table import MAX_ACTIONS, MAX_PUTS
from innotter_stats.tests.builders import (
    DAY,
    NOON,
    blocked,
    followed,
    leaving,
    liked,
    new_uuid,
    page_changed,
    page_created,
    page_deleted,
    posted,
    recounted,
    restated,
    restored,
    unblocked,
    unliked,
    user_deleted,
)
from innotter_stats.tests.dynamodb import Calls

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def read(store: Store, uuid: str, first: date = DAY, last: date = DAY) -> PageStatistics:
    found = store.statistics(uuid, first, last)
    assert found is not None
    return found


def counts(**metrics: int) -> dict[str, int]:
    return {**dict.fromkeys(METRICS, 0), **metrics}


@pytest.fixture
def page(store: Store) -> tuple[UUID, str]:
    page_id, uuid = new_id(), new_uuid()
    store.apply([page_created(page_id, uuid)])
    return page_id, uuid


# --- Counting


def test_events_are_counted_in_total_and_on_their_day(store: Store, page: tuple[UUID, str]) -> None:
    page_id, uuid = page
    tomorrow = NOON + timedelta(days=1)
    store.apply(
        [
            posted(page_id),
            posted(page_id, to=page_id),
            liked(page_id),
            liked(page_id),
            unliked(page_id, at=tomorrow),
            followed(page_id, at=tomorrow),
        ]
    )
    found = read(store, uuid, DAY, tomorrow.date())
    assert found.totals == counts(posts=1, replies=1, replies_received=1, likes=1, followers=1)
    assert found.days == {
        DAY: counts(posts=1, replies=1, replies_received=1, likes=2),
        tomorrow.date(): counts(likes=-1, followers=1),
    }


def test_an_event_that_comes_again_is_not_counted_again(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    events = [liked(page_id) for _ in range(3)]
    assert store.apply(events) == set()
    assert store.apply(events) == {event.id for event in events}
    assert store.apply([events[0], events[0]]) == {events[0].id}
    assert read(store, uuid).totals == counts(likes=3)


def test_an_event_twice_in_one_batch_is_counted_once(store: Store, page: tuple[UUID, str]) -> None:
    page_id, uuid = page
    event = liked(page_id)
    store.apply([event, event])
    assert read(store, uuid).totals == counts(likes=1)


def test_the_new_ones_of_a_batch_are_counted_though_others_were_before(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    old, new = [liked(page_id) for _ in range(7)], [followed(page_id) for _ in range(7)]
    store.apply(old)
    mixed = [event for pair in zip(old, new, strict=True) for event in pair]
    assert store.apply(mixed) == {event.id for event in old}
    assert read(store, uuid).totals == counts(likes=7, followers=7)


def test_a_batch_larger_than_a_transaction_is_counted_whole(store: Store) -> None:
    pages = [(new_id(), new_uuid()) for _ in range(70)]
    store.apply([page_created(page_id, uuid) for page_id, uuid in pages])
    hot = pages[0][0]
    # Replies across pages touch four rows each; the hot page alone has more than fits.
    replies = [posted(page_id, to=hot) for page_id, _ in pages[1:]]
    store.apply([*replies, *(liked(hot) for _ in range(2 * MAX_ACTIONS))])
    assert read(store, pages[0][1]).totals == counts(replies_received=69, likes=200)
    for _, uuid in pages[1:]:
        assert read(store, uuid).totals == counts(replies=1)


class Observed:
    """A client that remembers the sizes of its transactions."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:  # noqa: N803
        self.sizes.append(len(TransactItems))
        return self._client.transact_write_items(TransactItems=TransactItems)


def test_one_transaction_carries_many_events(dynamodb: "DynamoDBClient", table: str) -> None:
    observed: Any = Observed(dynamodb)
    Store(observed, table).apply([liked(page) for page in [new_id(), new_id()] for _ in range(48)])
    assert observed.sizes == [MAX_ACTIONS]


def test_a_batch_makes_a_call_where_events_alone_make_dozens(
    dynamodb: "DynamoDBClient", table: str
) -> None:
    """How much faster that is, `make bench ARGS=counting` says."""
    pages = [new_id() for _ in range(20)]
    likes: list[Event] = [liked(pages[n % len(pages)]) for n in range(500)]
    together, singly = Calls(dynamodb), Calls(dynamodb)
    Store(cast(Any, together), table).apply(likes)
    for event in likes[:10]:
        Store(cast(Any, singly), table).apply([event.model_copy(update={"id": new_id()})])
    assert together.names == ["transact_write_items"] * 6
    assert singly.names == ["transact_write_items"] * 10


@pytest.mark.parametrize("days", [0, 24, 25, 366])
def test_what_a_recount_costs_is_known_before(
    dynamodb: "DynamoDBClient", table: str, page: tuple[UUID, str], days: int
) -> None:
    page_id, uuid = page
    counted: dict[date, dict[Metric, int]] = {
        DAY - timedelta(days=n): {"likes": 1} for n in range(days)
    }
    calls = Calls(dynamodb)
    store = Store(cast(Any, calls), table)
    # The second one has an epoch to replace, with events of its own on every day.
    for epoch in (1, 2, 3):
        recount = recounted(page_id, uuid, epoch, counted)
        calls.names.clear()
        store.apply([recount])
        assert len(calls.names) <= calls_for(recount)
        store.apply([liked(page_id, at=NOON - timedelta(days=n), epoch=epoch) for n in range(days)])
    assert calls_for(recount) < 10 + 3 * (days / MAX_PUTS + 1)


def test_every_write_is_followed_by_a_sign_of_life(
    dynamodb: "DynamoDBClient", table: str, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    days: dict[date, dict[Metric, int]] = {
        DAY - timedelta(days=n): {"likes": 1} for n in range(100)
    }
    calls = Calls(dynamodb)
    signs: list[int] = []
    events: list[Event] = [*(liked(page_id) for _ in range(300)), recounted(page_id, uuid, 1, days)]
    Store(cast(Any, calls), table).apply(events, lambda: signs.append(len(calls.names)))
    writes = [
        n
        for n, name in enumerate(calls.names, start=1)
        if name in ("update_item", "delete_item", "batch_write_item", "transact_write_items")
    ]
    assert signs == writes
    # Between two of them is never more than one reading.
    assert max(later - earlier for earlier, later in pairwise(signs)) <= 2


def test_consumers_that_are_given_the_same_events_count_them_once(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    events: list[Event] = [liked(page_id) for _ in range(120)]

    def consume(seed: int) -> None:
        random = Random(seed)
        mine = random.sample(events, len(events))
        for start in range(0, len(mine), 30):
            store.apply(mine[start : start + 30])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(consume, range(4)))
    assert read(store, uuid).totals == counts(likes=120)


class Contended:
    """A client whose transactions meet others, as DynamoDB's do and the emulator's do not."""

    def __init__(self, client: "DynamoDBClient", conflicts: int) -> None:
        self._client = client
        self.conflicts = conflicts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:  # noqa: N803
        if not self.conflicts:
            return self._client.transact_write_items(TransactItems=TransactItems)
        self.conflicts -= 1
        codes = ["None"] * (len(TransactItems) - 1) + ["TransactionConflict"]
        raise self._client.exceptions.TransactionCanceledException(
            {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": code} for code in codes],
            },
            "TransactWriteItems",
        )


def test_a_conflict_with_another_transaction_is_tried_again(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    contended: Any = Contended(dynamodb, conflicts=3)
    assert Store(contended, table).apply([liked(page_id)]) == set()
    assert read(store, uuid).totals == counts(likes=1)


def test_conflicts_without_end_are_given_back_to_the_caller(
    dynamodb: "DynamoDBClient", table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter_stats.store.counting.time.sleep", lambda _: None)
    contended: Any = Contended(dynamodb, conflicts=1000)
    with pytest.raises(StoreUnavailable):
        Store(contended, table).apply([liked(new_id())])


def test_markers_outlive_any_redelivery_and_then_vanish(
    store: Store, dynamodb: "DynamoDBClient", table: str
) -> None:
    event = liked(new_id())
    store.apply([event])
    key = {"pk": {"S": f"event#{event.id}"}, "sk": {"S": "event"}}
    marker = dynamodb.get_item(TableName=table, Key=key)["Item"]
    expires = datetime.fromtimestamp(int(marker["expires_at"]["N"]), UTC)
    assert abs(expires - datetime.now(UTC) - MARKER_LIFE) < timedelta(minutes=1)
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert expiry["AttributeName"] == "expires_at"


PAGES = st.integers(0, 2)
HISTORIES = st.lists(
    st.tuples(st.sampled_from(["post", "reply", "like", "unlike", "follow"]), PAGES, PAGES),
    min_size=1,
    max_size=40,
)


@settings(max_examples=20, deadline=None)
@given(history=HISTORIES, random=st.randoms(use_true_random=False))
def test_any_history_however_delivered_equals_the_plain_sum(
    store: Store, history: list[tuple[str, int, int]], random: Random
) -> None:
    pages = [(new_id(), new_uuid()) for _ in range(3)]
    created = [page_created(page_id, uuid) for page_id, uuid in pages]
    happened = [
        _event(kind, pages[on][0], pages[to][0], NOON + timedelta(hours=7 * n))
        for n, (kind, on, to) in enumerate(history)
    ]
    delivered: list[Event] = [*created, *happened, *random.sample(happened, len(happened) // 2)]
    random.shuffle(delivered)
    while delivered:
        size = random.randint(1, 20)
        store.apply(delivered[:size])
        delivered = delivered[size:]

    truth = Counter[tuple[UUID, date | None, str]]()
    for event in happened:
        for page_id, metric, amount in deltas(event):
            truth[page_id, None, metric] += amount
            truth[page_id, day_of(event), metric] += amount
    for page_id, uuid in pages:
        found = read(store, uuid, DAY, DAY + timedelta(days=20))
        assert found.totals == {metric: truth[page_id, None, metric] for metric in METRICS}
        days = {day for page, day, _ in truth if page == page_id and day}
        assert found.days == {
            day: {metric: truth[page_id, day, metric] for metric in METRICS} for day in days
        }


def _event(kind: str, page: UUID, other: UUID, at: datetime) -> Event:
    match kind:
        case "post":
            return posted(page, at=at)
        case "reply":
            return posted(page, to=other, at=at)
        case "like":
            return liked(page, at=at)
        case "unlike":
            return unliked(page, at=at)
        case _:
            return followed(page, at=at)


# --- Facts


def test_a_page_is_found_by_its_uuid_in_any_case(store: Store) -> None:
    owner, uuid = new_id(), new_uuid()
    store.apply([page_created(new_id(), uuid, owner=owner, name="Кофе")])
    for asked in (uuid, uuid.upper(), uuid.lower()):
        found = read(store, asked)
        assert (found.uuid, found.name, found.owner_id) == (uuid, "Кофе", owner)


def test_a_page_is_unknown_until_its_creation_arrives(store: Store) -> None:
    page_id, uuid = new_id(), new_uuid()
    store.apply([liked(page_id)])
    assert store.statistics(uuid, DAY, DAY) is None
    store.apply([page_created(page_id, uuid)])
    assert read(store, uuid).totals == counts(likes=1)


def test_a_deleted_page_is_unknown_whatever_comes_later(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    gone = page_deleted(page_id, at=LATER)
    store.apply([gone])
    assert store.statistics(uuid, DAY, DAY) is None
    store.apply([liked(page_id), page_created(page_id, uuid)])
    assert store.statistics(uuid, DAY, DAY) is None
    # Its uuid is free for another.
    another = page_created(new_id(), uuid, name="Another", at=NOON + timedelta(hours=1))
    store.apply([another])
    assert read(store, uuid).name == "Another"


def test_a_page_that_moved_is_found_at_its_new_uuid_alone(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, before = page
    after = new_uuid()
    store.apply([liked(page_id), page_changed(page_id, after)])
    assert store.statistics(before, DAY, DAY) is None
    found = read(store, after)
    assert (found.name, found.totals) == ("Evening coffee", counts(likes=1))


LATER = NOON + timedelta(milliseconds=1)


@pytest.mark.parametrize("newest_first", [True, False])
def test_an_older_fact_never_overwrites_a_newer_one(store: Store, newest_first: bool) -> None:
    page_id, before, after = new_id(), new_uuid(), new_uuid()
    old = page_created(page_id, before, name="old", at=NOON)
    new = page_created(page_id, after, name="new", at=LATER)
    for event in [new, old] if newest_first else [old, new]:
        store.apply([event])
    found = read(store, after)
    assert (found.name, found.owner_id) == ("new", new.payload.owner_id)
    assert store.statistics(before, DAY, DAY) is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_higher_revision_wins_whatever_clocks_say_and_in_any_order(
    store: Store, order: tuple[int, ...]
) -> None:
    page_id, owner = new_id(), new_id()
    first, second, third = new_uuid(), new_uuid(), new_uuid()
    # From three hosts: one in the future, one right, one in the past.
    events: list[Event] = [
        page_created(
            page_id, first, owner=owner, name="1", at=NOON + timedelta(days=9), revision=1
        ),
        page_changed(page_id, second, name="2", at=NOON, revision=2),
        page_changed(page_id, third, name="3", at=NOON - timedelta(days=9), revision=3),
    ]
    for n in order:
        store.apply([events[n]])
    found = read(store, third)
    assert (found.name, found.owner_id) == ("3", owner)
    for gone in (first, second):
        assert store.statistics(gone, DAY, DAY) is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_higher_revision_of_a_block_wins_whatever_clocks_say(
    store: Store, order: tuple[int, ...]
) -> None:
    boris = new_id()
    story: list[Event] = [
        blocked(boris, at=NOON, revision=7),
        unblocked(boris, at=NOON + timedelta(days=1), revision=8),
        blocked(boris, at=NOON - timedelta(days=1), revision=9),
    ]
    for n in order:
        store.apply([story[n]])
    assert store.is_blocked(boris)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_uuid_is_the_new_owners_though_the_old_one_took_it_at_a_wrong_clock(
    store: Store, order: tuple[int, ...]
) -> None:
    first, second, uuid = new_id(), new_id(), new_uuid()
    future = milliseconds(NOON + timedelta(days=900))
    events: list[Event] = [
        page_created(first, uuid, name="first", revision=future),
        page_changed(first, new_uuid(), name="moved", revision=future + 1),
        page_created(second, uuid, name="second"),
    ]
    for n in order:
        store.apply([events[n]])
    assert read(store, uuid).name == "second"


def test_a_uuid_that_many_pages_had_costs_no_more_to_find(
    dynamodb: "DynamoDBClient", table: str, store: Store
) -> None:
    uuid = new_uuid()
    for n in range(20):
        page_id = new_id()
        store.apply([page_created(page_id, uuid)])
        if n % 2:
            store.apply([page_changed(page_id, new_uuid())])
        else:
            gone = page_deleted(page_id, at=LATER)
            store.apply([gone])
            # It comes again, when all is over.
            store.apply([page_created(page_id, uuid)])
    store.apply([page_created(new_id(), uuid, name="the last")])
    calls = Calls(dynamodb)
    assert read(Store(cast(Any, calls), table), uuid).name == "the last"
    assert calls.names == ["query", "get_item", "query"]


def test_an_event_without_a_revision_is_older_than_a_later_one_with_it(store: Store) -> None:
    page_id, before, after = new_id(), new_uuid(), new_uuid()
    old = page_created(page_id, before)
    payload = old.payload.model_copy(update={"revision": None})
    old = old.model_copy(update={"version": 2, "payload": payload})
    store.apply([page_changed(page_id, after, at=LATER)])
    store.apply([old])
    assert read(store, after).owner_id == old.payload.owner_id
    assert store.statistics(before, DAY, DAY) is None


def test_what_was_stored_before_there_were_revisions_is_read_and_overwritten(
    dynamodb: "DynamoDBClient", table: str, store: Store
) -> None:
    page_id, owner, uuid, later = new_id(), new_id(), new_uuid(), new_uuid()
    profile = {"owner_id": str(owner), "name": "Old", "uuid": uuid}
    for row in (
        {"pk": f"page#{page_id}", "sk": "profile", **profile},
        {"pk": f"uuid#{uuid.lower()}", "sk": "page", "page_id": str(page_id)},
        {"pk": f"user#{owner}", "sk": "user", "blocked": "yes"},
    ):
        item = {name: {"S": value} for name, value in row.items()}
        dynamodb.put_item(TableName=table, Item=item)
    assert (read(store, uuid).name, store.is_blocked(owner)) == ("Old", True)
    store.apply([page_changed(page_id, later, name="New"), unblocked(owner)])
    assert (read(store, later).name, store.is_blocked(owner)) == ("New", False)
    assert store.statistics(uuid, DAY, DAY) is None


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_uuid_belongs_to_the_page_that_took_it_last(store: Store, newest_first: bool) -> None:
    first, second, uuid = new_id(), new_id(), new_uuid()
    events = [
        page_created(first, uuid, name="first", at=NOON),
        page_created(first, new_uuid(), name="moved", at=NOON + timedelta(hours=1)),
        page_created(second, uuid, name="second", at=NOON + timedelta(hours=2)),
    ]
    for event in reversed(events) if newest_first else events:
        store.apply([event])
    assert read(store, uuid).name == "second"


def test_an_outdated_fact_does_not_keep_its_batch_from_being_counted(store: Store) -> None:
    page_id, uuid = new_id(), new_uuid()
    store.apply([page_created(page_id, uuid, at=LATER)])
    store.apply([page_created(page_id, new_uuid(), at=NOON), liked(page_id)])
    assert read(store, uuid).totals == counts(likes=1)


def test_nobody_is_blocked_until_an_event_tells_so(store: Store) -> None:
    assert not store.is_blocked(new_id())


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_last_word_about_a_block_counts(store: Store, newest_first: bool) -> None:
    boris = new_id()
    story: list[Event] = [blocked(boris, at=NOON), unblocked(boris, at=LATER)]
    store.apply(reversed(story) if newest_first else story)
    assert not store.is_blocked(boris)
    store.apply([blocked(boris, at=LATER + timedelta(milliseconds=1))])
    assert store.is_blocked(boris)


def test_who_is_leaving_is_shut_out_apart_from_any_block(store: Store) -> None:
    boris = new_id()
    store.apply([leaving(boris, at=NOON)])
    assert store.is_blocked(boris)
    store.apply([blocked(boris, at=NOON), restored(boris, at=LATER)])
    assert store.is_blocked(boris)
    store.apply([unblocked(boris, at=LATER)])
    assert not store.is_blocked(boris)


@pytest.mark.parametrize("seed", range(4))
def test_of_what_is_deleted_a_mark_is_left_and_nothing_else_however_it_comes(
    dynamodb: "DynamoDBClient", table: str, store: Store, seed: int
) -> None:
    """The mark keeps what comes late from bringing a name back, and expires like all markers."""
    owner, page_id, uuid = new_id(), new_id(), new_uuid()
    events: list[Event] = [
        page_created(page_id, uuid, owner=owner, name="Boris at home", at=NOON),
        page_changed(page_id, new_uuid(), name="Boris away", at=LATER),
        recounted(page_id, uuid, 1, {DAY: {"posts": 2}}, owner=owner, name="Boris"),
        leaving(owner),
    ]
    Random(seed).shuffle(events)
    late = events[seed:]
    store.apply([*events[:seed], liked(page_id), posted(page_id, to=page_id)])
    store.apply([page_deleted(page_id, at=LATER), user_deleted(owner, at=LATER)])
    store.apply(late)
    rows = dynamodb.scan(TableName=table)["Items"]
    left = [row for row in rows if str(page_id) in str(row) or str(owner) in str(row)]
    assert {row["pk"]["S"] for row in left} == {f"page#{page_id}", f"user#{owner}"}
    assert all("expires_at" in row and row["deleted"]["S"] == "yes" for row in left)
    assert "Boris" not in str(rows)
    assert uuid.lower() not in str(rows).lower()
    assert store.is_blocked(owner)


# --- A backup that was restored: of the core, or of the table

RESTORED = NOON + timedelta(days=1)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_told_anew_wins_over_all_that_was_lost_however_it_comes(
    store: Store, page: tuple[UUID, str], seed: int
) -> None:
    """The core is that of NOON again. What was told since may have come, or come late, or never."""
    page_id, uuid = page
    blocked_since, freed_since, gone_since = new_id(), new_id(), new_id()
    owner, renamed = new_id(), new_uuid()
    store.apply([blocked(freed_since), liked(page_id)])
    lost: list[Event] = [
        page_changed(page_id, renamed, at=LATER),
        liked(page_id, at=LATER),
        page_deleted(page_id, at=LATER + timedelta(hours=1)),
        blocked(blocked_since, at=LATER),
        leaving(blocked_since, at=LATER),
        unblocked(freed_since, at=LATER),
        user_deleted(gone_since, at=LATER),
    ]
    anew: list[Event] = [
        recounted(page_id, uuid, 1, {DAY: {"likes": 1}}, owner=owner, since=RESTORED),
        restated(blocked_since, at=RESTORED),
        restated(freed_since, at=RESTORED, is_blocked=True),
        restated(gone_since, at=RESTORED),
    ]
    chance = Random(seed)
    events = [*chance.sample(lost, len(lost) - seed), *anew]
    chance.shuffle(events)
    for event in events:
        store.apply([event])
    found = read(store, uuid)
    assert (found.name, found.owner_id) == ("Morning coffee", owner)
    assert found.totals == counts(likes=1)
    assert store.statistics(renamed, DAY, DAY) is None
    assert not store.is_blocked(blocked_since)
    assert store.is_blocked(freed_since)
    assert not store.is_blocked(gone_since)


def test_what_comes_back_can_be_deleted_again(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    user = new_id()
    ended: list[Event] = [page_deleted(page_id, at=LATER), user_deleted(user, at=LATER)]
    store.apply(ended)
    store.apply([recounted(page_id, uuid, 1, {}, since=RESTORED), restated(user, at=RESTORED)])
    # It has no end any more either.
    kept = [dynamodb.get_item(TableName=table, Key=key)["Item"] for key in _keys(page_id, user)]
    assert not any("expires_at" in item for item in kept)
    assert set(store.all_stored()) >= {("page", page_id), ("user", user)}
    after = RESTORED + timedelta(hours=1)
    store.apply([page_deleted(page_id, at=after), user_deleted(user, at=after)])
    assert store.statistics(uuid, DAY, DAY) is None
    assert store.is_blocked(user)
    assert not {("page", page_id), ("user", user)} & set(store.all_stored())


def _keys(page_id: UUID, user: UUID) -> list[Any]:
    return [
        {"pk": {"S": f"page#{page_id}"}, "sk": {"S": "profile"}},
        {"pk": {"S": f"user#{user}"}, "sk": {"S": "user"}},
    ]


def test_a_deletion_that_is_late_takes_no_counters_of_a_page_that_is_back(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    gone = page_deleted(page_id, at=LATER)
    store.apply([gone])
    store.apply([recounted(page_id, uuid, 1, {DAY: {"likes": 3}}, since=RESTORED)])
    store.apply([gone, liked(page_id, epoch=1)])
    assert read(store, uuid).totals == counts(likes=4)


# --- A page that is recounted

EVE = DAY - timedelta(days=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_recount_holds_what_was_told_before_it_and_nothing_after_however_it_comes(
    store: Store, page: tuple[UUID, str], seed: int
) -> None:
    page_id, uuid = page
    # The core has seen 5 likes of the first 6: one was taken back in a way without an event.
    before = [liked(page_id) for _ in range(6)]
    recount = recounted(page_id, uuid, 1, {EVE: {"posts": 2}, DAY: {"likes": 5}})
    after = [liked(page_id, epoch=1) for _ in range(3)]
    events: list[Event] = [*before, recount, *after, *before[:2], recount, *after[:2]]
    Random(seed).shuffle(events)
    for start in range(0, len(events), 4):
        store.apply(events[start : start + 4])
    found = read(store, uuid, EVE, DAY)
    assert found.totals == counts(posts=2, likes=8)
    assert found.days == {EVE: counts(posts=2), DAY: counts(likes=8)}


def test_no_moment_of_a_recount_shows_wrong_numbers(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str]
) -> None:
    """Read between any two steps of it, and with events of the new epoch before it."""
    page_id, uuid = page
    store.apply([liked(page_id) for _ in range(3)])
    store.apply([liked(page_id, epoch=1)])
    seen: list[tuple[int, int]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            found = read(store, uuid, EVE, DAY)
            seen.append((found.totals["likes"], sum(d["likes"] for d in found.days.values())))
            return getattr(dynamodb, name)

    watched: Any = Watched()
    # The day before has one that was never counted.
    recount = recounted(page_id, uuid, 1, {EVE: {"likes": 1}, DAY: {"likes": 3}})
    Store(watched, table).apply([recount])
    assert len(seen) > 5
    assert set(seen) == {(4, 4), (5, 5)}
    assert read(store, uuid, EVE, DAY).totals == counts(likes=5)


@pytest.mark.parametrize("after", range(4))
def test_a_recount_in_the_middle_of_reading_shows_no_wrong_numbers(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str], after: int
) -> None:
    page_id, uuid = page
    store.apply([liked(page_id) for _ in range(3)])
    recount = recounted(page_id, uuid, 1, {EVE: {"likes": 1}, DAY: {"likes": 3}})

    class Interrupted(Calls):
        def __getattr__(self, name: str) -> Any:
            if name != "exceptions" and len(self.names) == after:
                store.apply([recount])
            return super().__getattr__(name)

    interrupted = Interrupted(dynamodb)
    found = read(Store(cast(Any, interrupted), table), uuid, EVE, DAY)
    assert len(interrupted.names) == 3
    shown = (found.totals["likes"], sum(day["likes"] for day in found.days.values()))
    assert shown == ((3, 3) if after >= 2 else (4, 4))


class Replica(Calls):
    """Answers, unless it is asked for consistent reads, as a replica that has the profile of the
    new epoch and not yet its base."""

    def pages(self, operation: str, **words: Any) -> Iterator[Any]:
        for page in super().pages(operation, **words):
            if not words.get("ConsistentRead"):
                page["Items"] = [row for row in page["Items"] if ":base" not in row["sk"]["S"]]
            yield page


def test_a_replica_that_lags_behind_shows_no_wrong_numbers(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    store.apply([liked(page_id) for _ in range(3)])
    store.apply([recounted(page_id, uuid, 1, {DAY: {"likes": 3}})])
    found = read(Store(cast(Any, Replica(dynamodb)), table), uuid)
    assert (found.totals["likes"], found.days[DAY]["likes"]) == (3, 3)


class Crash(Exception):
    pass


def test_a_recount_that_breaks_off_anywhere_is_completed_by_the_next_delivery(
    dynamodb: "DynamoDBClient", table: str, store: Store, page: tuple[UUID, str]
) -> None:
    page_id, uuid = page
    store.apply([liked(page_id) for _ in range(3)])
    days = {DAY - timedelta(days=n): {"likes": 1} for n in range(40)}
    recount = recounted(page_id, uuid, 1, days)  # type: ignore[arg-type]

    class Breaks:
        def __init__(self, after: int) -> None:
            self.left = after

        def __getattr__(self, name: str) -> Any:
            self.left -= 1
            if self.left < 0 and name != "exceptions":
                raise Crash
            return getattr(dynamodb, name)

    for steps in range(100):
        breaking: Any = Breaks(steps)
        try:
            Store(breaking, table).apply([recount])
        except Crash:
            assert read(store, uuid).totals["likes"] in (3, 40)
        else:
            break
    assert steps > 5
    assert read(store, uuid).totals == counts(likes=40)


def test_an_older_recount_never_replaces_a_newer_one(store: Store, page: tuple[UUID, str]) -> None:
    page_id, uuid = page
    store.apply([recounted(page_id, uuid, 2, {DAY: {"likes": 2}})])
    store.apply([recounted(page_id, uuid, 1, {DAY: {"likes": 1}})])
    store.apply([liked(page_id, epoch=1), liked(page_id, epoch=2)])
    assert read(store, uuid).totals == counts(likes=3)


def test_a_recount_makes_a_page_known_that_was_lost(store: Store) -> None:
    page_id, uuid, owner = new_id(), new_uuid(), new_id()
    store.apply([recounted(page_id, uuid, 1, {}, owner=owner, name="Found")])
    found = read(store, uuid)
    assert (found.owner_id, found.name, found.totals) == (owner, "Found", counts())


# --- Reading


def test_only_the_days_that_were_asked_for_are_read(store: Store, page: tuple[UUID, str]) -> None:
    page_id, uuid = page
    store.apply([liked(page_id, at=NOON + timedelta(days=n)) for n in range(-2, 3)])
    found = read(store, uuid, DAY - timedelta(days=1), DAY + timedelta(days=1))
    assert sorted(found.days) == [DAY + timedelta(days=n) for n in (-1, 0, 1)]
    assert found.totals == counts(likes=5)


def test_a_page_that_nothing_happened_on_has_zeros(store: Store, page: tuple[UUID, str]) -> None:
    found = read(store, page[1])
    assert found.totals == counts()
    assert found.days == {}


# --- The table


def test_making_the_table_again_changes_nothing(
    store: Store, page: tuple[UUID, str], dynamodb: "DynamoDBClient", table: str
) -> None:
    create_table(dynamodb, table)
    assert read(store, page[1]).uuid == page[1]


def test_a_missing_table_is_unavailability(dynamodb: "DynamoDBClient") -> None:
    missing = Store(dynamodb, f"missing-{new_id()}")
    with pytest.raises(StoreUnavailable):
        missing.check()


def test_no_dynamodb_is_unavailability() -> None:
    config = Config(connect_timeout=1, retries={"total_max_attempts": 1})
    nowhere = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=config)
    store = Store(nowhere, "any-table")
    with pytest.raises(StoreUnavailable):
        store.check()
    with pytest.raises(StoreUnavailable):
        store.apply([liked(new_id())])
    with pytest.raises(StoreUnavailable):
        store.statistics("coffee", DAY, DAY)
