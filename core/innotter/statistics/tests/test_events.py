"""What events tell adds up to what there is, whatever happens at once and however often a page is
recounted. (That statistics adds up what events tell is tested there.)"""

import random
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction

from innotter.accounts.leaving import leave
from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.conftest import CLIENT, PASSWORD, at_once, new_page, new_post, new_user, no_trace
from innotter.events.models import Epoch, OutboxEvent
from innotter.events.services import Busy, record
from innotter.moderation.services import block_user, unblock_user
from innotter.pages.locks import lock
from innotter.pages.models import Page
from innotter.pages.services import delete_page, edit_page
from innotter.posts.models import Post
from innotter.posts.services import delete_post, like
from innotter.statistics.selectors import changes_since, days_of, totals_of
from innotter.statistics.services import recount, restate
from innotter.statistics.tests.actions import random_action, recorded
from innotter_contracts.counting import deltas
from innotter_contracts.events import (
    METRICS,
    PageRecounted,
    PostAndUser,
    PostLiked,
    State,
    UserRestated,
)
from innotter_contracts.ids import new_id


def counted(page: UUID) -> Counter[str]:
    """What a reader of all events makes of them, in whatever order: the last base of the page,
    and what events report in its epoch and in later ones."""
    events = recorded()
    bases = [
        event.payload
        for event in events
        if isinstance(event, PageRecounted) and event.payload.page_id == page
    ]
    last = max(bases, key=lambda base: base.epoch, default=None)
    counts = Counter[str]()
    for day in last.days if last else ():
        counts.update(day.counts)
    for event in events:
        if event.epochs.get(page, 0) >= (last.epoch if last else 0):
            for one, metric, amount in deltas(event):
                if one == page:
                    counts[metric] += amount
    return counts


def assert_told(*pages: Page) -> None:
    for page, truth in totals_of([page.id for page in pages]).items():
        found = counted(page)
        assert {m: found[m] for m in METRICS} == {m: truth[m] for m in METRICS}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
def test_what_is_told_adds_up_to_what_there_is(ann: User, seed: int) -> None:
    chance = random.Random(seed)
    people = [new_user(f"user-{n}") for n in range(4)]
    pages = [new_page(ann, is_private=n == 0) for n in range(4)]
    moved = set[str]()
    for _ in range(80):
        random_action(chance, people, pages)
        moved |= {metric for event in recorded()[-1:] for _, metric, _ in deltas(event)}
    assert moved == set(METRICS), "no action of random_action() changes one of the metrics"
    assert_told(*pages)
    # The days too: all of it happened today, and none of it was deleted from the outbox.
    today = datetime.now(UTC).date()
    changes = changes_since(today, [page.id for page in pages])
    totals = totals_of([page.id for page in pages])
    for page in pages:
        assert +changes[page.id].get(today, Counter()) == +totals[page.id]


def test_a_page_takes_along_what_it_gave_to_others(ann: User, page: Page) -> None:
    other = new_page(ann)
    post = new_post(other)
    new_post(page, reply_to=post)
    answered = new_post(page)
    reply = new_post(other, reply_to=answered)
    delete_page(actor=page.owner, page=page)
    assert_told(other)
    # What was written elsewhere in answer to it stays, and can still be taken back.
    assert totals_of([other.id])[other.id]["replies"] == 1
    delete_post(actor=ann, post=reply)
    assert_told(other)


# --- Recounting


def test_a_recount_tells_all_of_the_page(bob: User, page: Page) -> None:
    like(actor=bob, post=new_post(page))
    recount(page_id=page.id)
    base = recorded()[-1]
    assert isinstance(base, PageRecounted)
    told_of = (base.payload.uuid, base.payload.name, base.payload.owner_id)
    assert told_of == (page.uuid, page.name, page.owner_id)
    [day] = base.payload.days
    assert day.date == datetime.now(UTC).date()
    assert day.counts == {"posts": 1, "likes": 1, "followers": 1}
    assert_told(page)


def test_events_tell_the_epoch_of_each_page_that_they_count_for(ann: User, page: Page) -> None:
    other, third = new_page(ann), new_page(ann)
    for again in (page, page, other):
        recount(page_id=again.id)
    bases = [event.payload for event in recorded() if isinstance(event, PageRecounted)]
    assert bases[0].epoch < bases[1].epoch
    new_post(page, reply_to=new_post(other))
    assert recorded()[-1].epochs == {page.id: bases[1].epoch, other.id: bases[2].epoch}
    new_post(third)
    assert "epochs" not in OutboxEvent.objects.latest("id").body


def test_an_epoch_is_new_though_a_backup_has_brought_an_older_one_back(page: Page) -> None:
    recount(page_id=page.id)
    used = Epoch.objects.get()
    Epoch.objects.update(number=used.number - 1_000)
    recount(page_id=page.id)
    assert Epoch.objects.get().number > used.number
    Epoch.objects.update(number=used.number + 10**9)
    recount(page_id=page.id)
    assert Epoch.objects.get().number == used.number + 10**9 + 1


def test_days_are_those_on_which_what_still_stands_came(page: Page, bob: User) -> None:
    post, gone = new_post(page), new_post(page)
    like(actor=bob, post=post)
    long_ago = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    Post.objects.filter(page=page).update(created_at=long_ago)
    delete_post(actor=page.owner, post=gone)
    today = datetime.now(UTC).date()
    assert days_of(page.id) == {
        date(2026, 3, 1): {"posts": 1},
        today: {"likes": 1, "followers": 1},
    }


@pytest.mark.django_db
def test_a_page_that_is_gone_is_not_recounted() -> None:
    with no_trace(), pytest.raises(NotFound):
        recount(page_id=new_id())


@pytest.mark.django_db(transaction=True)
def test_in_a_storm_nothing_is_told_twice_or_lost_around_a_recount(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everybody takes their time between telling and committing.
    monkeypatch.setattr("innotter.events.services._wake_relay", lambda: time.sleep(0.005))
    people = [new_user(f"user-{n}") for n in range(5)]
    pages = [new_page(ann, is_private=n == 0) for n in range(3)]
    storm_is_over = threading.Event()

    def storm(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(50):
            random_action(chance, people, pages)

    def recounter() -> int:
        rounds = 0
        while not storm_is_over.is_set():
            for page in pages:
                try:
                    recount(page_id=page.id)
                except Busy:
                    continue
                rounds += 1
        return rounds

    def all_storms() -> int:
        try:
            at_once(*(lambda seed=seed: storm(seed) for seed in range(6)))
        finally:
            storm_is_over.set()
        return 0

    _, rounds = at_once(all_storms, recounter)
    assert rounds > len(pages)
    assert_told(*pages)


@pytest.mark.django_db(transaction=True)
def test_a_recount_does_not_wait_long_for_one_who_writes(page: Page) -> None:
    """Others would wait behind it."""
    like = PostLiked(
        actor=None, payload=PostAndUser(post_id=new_id(), page_id=page.id, user_id=new_id())
    )
    written, tried = threading.Event(), threading.Event()

    def writes() -> None:
        with transaction.atomic():
            record(like)
            written.set()
            assert tried.wait(30)
            transaction.set_rollback(True)

    def counts() -> None:
        assert written.wait(30)
        try:
            with no_trace(), pytest.raises(Busy):
                recount(page_id=page.id)
        finally:
            tried.set()

    at_once(writes, counts)
    recount(page_id=page.id)
    assert_told(page)


@pytest.mark.django_db(transaction=True)
def test_a_recount_waits_for_who_changes_the_page_and_not_for_long(page: Page) -> None:
    changed, tried = threading.Event(), threading.Event()

    def changes() -> None:
        with transaction.atomic():
            lock(Page.objects.filter(pk=page.pk))
            changed.set()
            assert tried.wait(30)

    def counts() -> None:
        assert changed.wait(30)
        try:
            with no_trace(), pytest.raises(Busy):
                recount(page_id=page.id)
        finally:
            tried.set()

    at_once(changes, counts)


# --- States


def test_users_are_told_anew_with_all_that_is_kept_of_them(ann: User, bob: User) -> None:
    admin = new_user("an-admin", role=User.Role.ADMIN)
    leave(actor=ann, client=CLIENT, current_password=PASSWORD, session_id=None)
    block_user(actor=admin, user=bob)
    revisions = dict(User.objects.values_list("pk", "revision"))
    assert restate(user_ids=[ann.pk, bob.pk, admin.pk, new_id()]) == 3
    told = {e.payload.user_id: e.payload for e in recorded() if isinstance(e, UserRestated)}
    assert [(told[user.pk].is_blocked, told[user.pk].is_leaving) for user in (ann, bob, admin)] == [
        (False, True),
        (True, False),
        (False, False),
    ]
    # Higher than what any change told, and kept, so that the next change's is higher still.
    for user_id, now in User.objects.values_list("pk", "revision"):
        assert revisions[user_id] < now == told[user_id].revision


def test_each_change_of_a_row_has_a_higher_revision_though_the_clock_goes_back(
    ann: User, bob: User
) -> None:
    admin = new_user("an-admin", role=User.Role.ADMIN)
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False) as clock:
        page = new_page(ann)
        for hours in (1, -5, 0, -5):
            clock.shift(timedelta(hours=hours))
            edit_page(actor=page.owner, page=page, name=f"{hours} {new_id()}")
            block_user(actor=admin, user=bob)
            unblock_user(actor=admin, user=bob)
        recount(page_id=page.id)
    events = [event for event in recorded() if isinstance(event, State)]
    of_page = [event for event in events if getattr(event.payload, "page_id", None) == page.id]
    of_user = [event for event in events if event.type.startswith("user.")]
    *changes, recounted = [event.payload.revision for event in of_page]
    assert len(changes) == 5
    assert changes == sorted(set(changes), key=lambda revision: revision or 0)
    # It wins over every change of before, those included that a backup did not bring back.
    assert recounted
    assert recounted > (changes[-1] or 0)
    blocks = [event.payload.revision for event in of_user]
    assert len(blocks) == 8
    assert blocks == sorted(set(blocks), key=lambda revision: revision or 0)
