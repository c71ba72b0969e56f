from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from innotter_contracts.counting import Delta, day_of, deltas
from innotter_contracts.events import parse_event
from innotter_contracts.ids import new_id
from innotter_contracts.tests.samples import SAMPLES
from innotter_stats.facts import Existence, Fact, UserFact, facts
from innotter_stats.tests.builders import posted

ANN = "01a19b45-b800-7991-9e0d-7d4b402e3017"
COFFEE = UUID("01a1a0be-79c0-7729-8d74-ac4d186e3a8e")
DIARY = UUID("01a1a600-4d00-7d7f-a146-fad64b8833cd")
BORIS = UUID("01a19b4a-4be0-71b6-b7d8-fcd2c6da6359")


class Change(NamedTuple):
    day: date
    deltas: list[Delta]
    facts: Sequence[Fact | UserFact | Existence]


# Revisions in version 3, milliseconds in version 2.
CREATED = 1793698200120
CHANGED = 1795284131050
DELETED = 1795377600000
BLOCKED = 1795345200000
UNBLOCKED = 1795348800000
CHANGES = {
    "page.created.v2": Change(
        date(2026, 11, 3),
        [],
        [
            Fact(COFFEE, "owner_id", ANN, CREATED),
            Fact(COFFEE, "name", "Утренний кофе", CREATED),
            Fact(COFFEE, "uuid", "Morning-Coffee", CREATED),
        ],
    ),
    "page.followed.v2": Change(date(2026, 11, 6), [Delta(COFFEE, "followers", 1)], []),
    "page.unfollowed.v2": Change(date(2026, 11, 21), [Delta(COFFEE, "followers", -1)], []),
    "page.follow_requested.v2": Change(
        date(2026, 11, 5), [Delta(COFFEE, "follow_requests", 1)], []
    ),
    "page.follow_request_withdrawn.v2": Change(
        date(2026, 11, 5), [Delta(COFFEE, "follow_requests", -1)], []
    ),
    "post.created.v1": Change(date(2026, 11, 20), [Delta(COFFEE, "posts", 1)], []),
    "post.created.v2": Change(date(2026, 11, 20), [Delta(COFFEE, "posts", 1)], []),
    "post.created.reply.v2": Change(
        date(2026, 11, 20), [Delta(DIARY, "replies", 1), Delta(COFFEE, "replies_received", 1)], []
    ),
    "page.changed.v2": Change(
        date(2026, 11, 21),
        [],
        [
            Fact(COFFEE, "name", "Вечерний кофе", CHANGED),
            Fact(COFFEE, "uuid", "Late-Coffee", CHANGED),
        ],
    ),
    "page.recounted.v2": Change(
        date(2026, 11, 24),
        [],
        [
            Existence("page", COFFEE, True, CHANGED),
            Fact(COFFEE, "owner_id", ANN, CHANGED),
            Fact(COFFEE, "name", "Вечерний кофе", CHANGED),
            Fact(COFFEE, "uuid", "Late-Coffee", CHANGED),
        ],
    ),
    "page.deleted.v2": Change(date(2026, 11, 22), [], [Existence("page", COFFEE, False, DELETED)]),
    "page.follow_request_accepted.v2": Change(
        date(2026, 11, 6), [Delta(COFFEE, "follow_requests", -1), Delta(COFFEE, "followers", 1)], []
    ),
    "page.follow_request_rejected.v2": Change(
        date(2026, 11, 6), [Delta(COFFEE, "follow_requests", -1)], []
    ),
    "post.deleted.v2": Change(
        date(2026, 11, 22), [Delta(COFFEE, "posts", -1), Delta(COFFEE, "likes", -3)], []
    ),
    "post.deleted.reply.v2": Change(
        date(2026, 11, 22),
        [Delta(DIARY, "replies", -1), Delta(COFFEE, "replies_received", -1)],
        [],
    ),
    "user.blocked.v2": Change(date(2026, 11, 22), [], [UserFact(BORIS, "blocked", True, BLOCKED)]),
    "user.unblocked.v2": Change(
        date(2026, 11, 22), [], [UserFact(BORIS, "blocked", False, UNBLOCKED)]
    ),
    "user.deletion_scheduled.v3": Change(
        date(2026, 11, 22), [], [UserFact(BORIS, "leaving", True, BLOCKED)]
    ),
    "user.restored.v3": Change(
        date(2026, 11, 22), [], [UserFact(BORIS, "leaving", False, BLOCKED)]
    ),
    "user.deleted.v2": Change(date(2026, 11, 22), [], [Existence("user", BORIS, False, BLOCKED)]),
    "user.restated.v3": Change(
        date(2026, 11, 24),
        [],
        [
            Existence("user", BORIS, True, BLOCKED),
            UserFact(BORIS, "blocked", True, BLOCKED),
            UserFact(BORIS, "leaving", False, BLOCKED),
        ],
    ),
    "user.notifications_changed.v2": Change(date(2026, 11, 22), [], []),
    "post.liked.v2": Change(date(2026, 11, 20), [Delta(COFFEE, "likes", 1)], []),
    "post.liked.recounted.v2": Change(date(2026, 11, 24), [Delta(COFFEE, "likes", 1)], []),
    "post.unliked.v2": Change(date(2026, 11, 22), [Delta(COFFEE, "likes", -1)], []),
}
# Earlier versions had no revision.
STATES = (
    "page.created",
    "page.changed",
    "page.recounted",
    "page.deleted",
    "user.blocked",
    "user.unblocked",
    "user.deleted",
)
CHANGES |= {f"{name}.v3": CHANGES[f"{name}.v2"] for name in STATES}


def test_every_sample_is_asserted_here() -> None:
    assert {path.stem for path in SAMPLES} == CHANGES.keys()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_an_event_changes(path: Path) -> None:
    event = parse_event(path.read_bytes())
    assert Change(day_of(event), deltas(event), facts(event)) == CHANGES[path.stem]


def test_a_reply_to_ones_own_page_counts_on_both_sides() -> None:
    page = new_id()
    assert deltas(posted(page, to=page)) == [
        Delta(page, "replies", 1),
        Delta(page, "replies_received", 1),
    ]


def test_a_day_is_that_of_utc_wherever_the_event_was_written() -> None:
    in_moscow = datetime(2026, 11, 21, 2, 59, tzinfo=timezone(timedelta(hours=3)))
    assert day_of(posted(new_id(), at=in_moscow)) == date(2026, 11, 20)
