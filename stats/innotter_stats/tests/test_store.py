import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from innotter_contracts.counting import day_of, deltas
from innotter_contracts.events import METRICS, Event, PageChanged, PageDeleted
from innotter_contracts.ids import new_id
from innotter_stats.store import (
    MARKER_LIFE,
    MAX_ACTIONS,
    PageStatistics,
    Store,
    StoreUnavailable,
    create_table,
)
from innotter_stats.tests.builders import (
    DAY,
    NOON,
    blocked,
    followed,
    liked,
    new_uuid,
    page_created,
    posted,
    recounted,
    unblocked,
    unliked,
)

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


def test_batches_count_at_least_twelve_times_as_fast_as_one_transaction_an_event(
    dynamodb: "DynamoDBClient", table: str
) -> None:
    """On the same engine in the same run. (`make bench ARGS=counting` says how much exactly.)"""
    observed: Any = Observed(dynamodb)
    store = Store(observed, table)
    pages = [new_id() for _ in range(20)]

    def seconds_an_event(events: int, size: int) -> float:
        likes = [liked(pages[n % len(pages)]) for n in range(events)]
        started = time.perf_counter()
        for batch in batched(likes, size, strict=False):
            store.apply(batch)
        return (time.perf_counter() - started) / events

    # A machine that is busy with something else gets another chance.
    ratios = (seconds_an_event(40, 1) / seconds_an_event(500, 500) for _ in range(8))
    assert any(ratio >= 12 for ratio in ratios)
    # Whatever the clock says: so many events share a transaction.
    assert len([size for size in observed.sizes if size > 3]) % 6 == 0


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
    monkeypatch.setattr("innotter_stats.store.time.sleep", lambda _: None)
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
    gone = PageDeleted(actor=None, payload=PageDeleted.Payload(page_id=page_id))
    store.apply([gone])
    assert store.statistics(uuid, DAY, DAY) is None
    store.apply([liked(page_id), page_created(page_id, uuid)])
    assert store.statistics(uuid, DAY, DAY) is None
    # Its address is free for another.
    another = page_created(new_id(), uuid, name="Another", at=NOON + timedelta(hours=1))
    store.apply([another])
    assert read(store, uuid).name == "Another"


def test_a_page_that_moved_is_found_at_its_new_uuid_alone(
    store: Store, page: tuple[UUID, str]
) -> None:
    page_id, before = page
    after = new_uuid()
    payload = PageChanged.Payload(page_id=page_id, uuid=after, name="Evening coffee")
    store.apply([liked(page_id), PageChanged(actor=None, payload=payload)])
    assert store.statistics(before, DAY, DAY) is None
    found = read(store, after)
    assert (found.name, found.totals) == ("Evening coffee", counts(likes=1))


LATER = NOON + timedelta(microseconds=1)


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
    store.apply([blocked(boris, at=LATER + timedelta(microseconds=1))])
    assert store.is_blocked(boris)


# --- A page that is recounted

EVE = DAY - timedelta(days=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_recount_holds_what_was_told_before_it_and_nothing_after_however_it_comes(
    store: Store, page: tuple[UUID, str], seed: int
) -> None:
    page_id, uuid = page
    # The core has seen 5 likes of the first 6: one was taken back in a way that nobody told of.
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
