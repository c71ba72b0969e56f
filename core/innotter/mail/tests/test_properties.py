"""On random networks exactly those are mailed whom the rule names, and nobody twice."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import time_machine
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.conftest import property_tests
from innotter.mail import sending
from innotter.mail.message import Answer, Outcome
from innotter.mail.models import Delivery, Suppression
from innotter.mail.queueing import queue_deliveries, reschedule
from innotter.mail.sending import give_up_claims, send_due
from innotter.mail.tests.conftest import SENT, Ses
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post

NOW = datetime(2031, 5, 14, 12, 7, tzinfo=UTC)

# Who is mailed


@dataclass(frozen=True)
class Reader:
    role: str
    is_blocked: bool
    frequency: str
    # none, asked, follows or muted
    follow: str
    is_suppressed: bool

    @property
    def is_queued(self) -> bool:
        return self.follow == "follows" and not self.is_blocked and self.frequency != "off"


@dataclass(frozen=True)
class Place:
    is_private: bool
    # no, runs, ended or for good
    block: str
    owner_is_blocked: bool

    @property
    def is_blocked(self) -> bool:
        return self.block in ("runs", "for good") or self.owner_is_blocked


def wants(reader: Reader, place: Place) -> bool:
    """The rule, in plain words, of the moment at which a mail is to leave. Who follows may see
    what is on the page unless it is blocked, and moderators may even then."""
    if reader.is_blocked or reader.is_suppressed or reader.frequency == "off":
        return False
    if reader.follow != "follows":
        return False
    return not place.is_blocked or reader.role in ("moderator", "admin")


readers = st.builds(
    Reader,
    role=st.sampled_from(["user", "user", "moderator", "admin"]),
    is_blocked=st.sampled_from([False, False, False, True]),
    frequency=st.sampled_from(["instant", "instant", "hourly", "daily", "off"]),
    follow=st.sampled_from(["follows", "follows", "follows", "muted", "asked", "none"]),
    is_suppressed=st.sampled_from([False, False, False, True]),
)
places = st.builds(
    Place,
    is_private=st.booleans(),
    block=st.sampled_from(["no", "no", "ended", "runs", "for good"]),
    owner_is_blocked=st.sampled_from([False, False, False, True]),
)
# Each as it is when the post is written, and when the mail is to leave.
lives = st.lists(st.tuples(readers, readers), min_size=4, max_size=8)


def make_so(users: list[User], page: Page, readers: list[Reader], place: Place) -> None:
    Follow.objects.all().delete()
    Suppression.objects.all().delete()
    for user, reader in zip(users, readers, strict=True):
        user.role, user.is_blocked = reader.role, reader.is_blocked
        user.email_notifications = reader.frequency
        user.save()
        if reader.follow != "none":
            Follow.objects.create(
                page=page,
                user=user,
                accepted_at=None if reader.follow == "asked" else NOW,
                muted_at=NOW if reader.follow == "muted" else None,
            )
        if reader.is_suppressed:
            Suppression.objects.create(
                address=str(user.email).lower(), reason="bounce", happened_at=NOW
            )
    page.owner.is_blocked = place.owner_is_blocked
    page.owner.save()
    page.is_private = place.is_private
    page.blocked_for_good = place.block == "for good"
    until = {"runs": timedelta(days=30), "ended": timedelta(days=-1)}
    page.unblock_date = NOW + until[place.block] if place.block in until else None
    page.save()


def people(count: int) -> tuple[list[User], Page]:
    owner = User.objects.create(username="owner", email="owner@example.com")
    users = [
        User.objects.create(username=f"reader{n}", email=f"Reader{n}@example.com")
        for n in range(count)
    ]
    return users, Page.objects.create(owner=owner, name="Harbour", uuid="harbour")


@property_tests(30)
@given(lives=lives, place=places)
def test_who_is_mailed_is_what_the_rule_says(
    *, ses: Ses, db: None, lives: list[tuple[Reader, Reader]], place: Place
) -> None:
    ses.messages.clear()
    with transaction.atomic(), time_machine.travel(NOW, tick=False) as clock:
        users, page = people(len(lives))
        open_place = Place(is_private=False, block="no", owner_is_blocked=False)
        make_so(users, page, [before for before, _ in lives], open_place)
        queue_deliveries(Post.objects.create(page=page, content="Fog").id)
        make_so(users, page, [after for _, after in lives], place)
        clock.shift(timedelta(days=2))
        send_due()
        expected = [
            user.email
            for user, (before, after) in zip(users, lives, strict=True)
            if before.is_queued and wants(after, place)
        ]
        assert ses.mailed == expected
        assert not Delivery.objects.filter(state__in=["waiting", "sending"]).exists()
        transaction.set_rollback(True)


# Never twice, and nothing lost


class Killed(BaseException):
    """A worker dies here."""


# What may happen, in any order.
steps = st.lists(
    st.one_of(
        st.just(("post", None)),
        st.just(("again", None)),
        st.just(("send", None)),
        st.just(("dies before it asks", None)),
        st.just(("dies with the answer", None)),
        st.just(("ses is away", None)),
        st.just(("ses stumbles", None)),
        st.just(("an answer is lost", None)),
        st.tuples(st.just("hours"), st.integers(1, 30)),
        st.tuples(st.just("chooses"), st.sampled_from(["instant", "hourly", "daily"])),
    ),
    min_size=4,
    max_size=14,
)


@property_tests(30)
@given(steps=steps)
def test_each_is_mailed_once_of_each_post_but_for_unknown_outcomes(
    *, ses: Ses, db: None, steps: list[tuple[str, Any]]
) -> None:
    ses.messages.clear()
    with transaction.atomic(), time_machine.travel(NOW, tick=False) as clock:
        users, page = people(3)
        for user in users:
            Follow.objects.create(page=page, user=user, accepted_at=NOW)
        posts: list[Post] = []
        for number, (step, value) in enumerate(steps):
            clock.shift(1)
            if step == "post" or not posts:
                posts.append(Post.objects.create(page=page, content=f"Post {number} of many"))
            chooser = users[number % len(users)]
            happen(step, value, ses, posts, chooser, clock)
        # Quiet: whatever waits may leave, and what nobody holds any more is given up.
        for _ in range(3):
            clock.shift(timedelta(days=2))
            give_up_claims()
            for post in posts:
                queue_deliveries(post.id)
            send_due()
        mailed = Counter(
            (message.to, post.id)
            for message in ses.messages
            for post in posts
            if f"/@harbour/{post.id}" in message.text
        )
        assert max(mailed.values(), default=0) <= 1
        states = {
            (str(delivery.recipient.email), delivery.post_id): delivery.state
            for delivery in Delivery.objects.select_related("recipient")
        }
        assert set(states) == {(str(user.email), post.id) for user in users for post in posts}
        assert set(states.values()) <= {"sent", "unknown"}
        doubts = {"dies with the answer", "an answer is lost"} & {step for step, _ in steps}
        for one, state in states.items():
            assert mailed[one] == 1 or (state == "unknown" and doubts), one
        transaction.set_rollback(True)


def happen(
    step: str,
    value: Any,
    ses: Ses,
    posts: list[Post],
    chooser: User,
    clock: time_machine.Traveller,
) -> None:
    def run() -> None:
        queue_deliveries(posts[-1].id)
        send_due()

    def run_until_death(where: str) -> None:
        with suppress(Killed), patch.object(sending, where, side_effect=Killed):
            run()

    def run_with(answer: Answer) -> None:
        ses.answer = lambda message: answer
        run()
        ses.answer = lambda message: SENT

    def choose() -> None:
        chooser.email_notifications = value
        chooser.save()
        # The task that follows from it may come late.
        if len(posts) % 2:
            reschedule(chooser.id)

    what: dict[str, Callable[[], object]] = {
        "post": lambda: queue_deliveries(posts[-1].id),
        "again": lambda: queue_deliveries(posts[0].id),
        "send": run,
        "dies before it asks": lambda: run_until_death("write_page_mail"),
        "dies with the answer": lambda: run_until_death("persist"),
        "ses is away": lambda: run_with(Answer(Outcome.UNAVAILABLE, "away")),
        "ses stumbles": lambda: run_with(Answer(Outcome.TRANSIENT_FAILURE, "FAILED")),
        "an answer is lost": lambda: run_with(Answer(Outcome.UNKNOWN, "timeout")),
        "hours": lambda: clock.shift(timedelta(hours=value)),
        "chooses": choose,
    }
    what[step]()
