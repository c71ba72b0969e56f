"""At once, by the hour, by the day or never: one mail with all that a page has posted."""

import re
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
import time_machine

from innotter.accounts.models import User
from innotter.accounts.services import edit_user
from innotter.conftest import CLIENT, Events, make_follower, new_page, new_post
from innotter.mail import sending
from innotter.mail.models import Delivery, due_after
from innotter.mail.queueing import queue_deliveries, reschedule
from innotter.mail.sending import send_due
from innotter.mail.tests.conftest import Ses
from innotter.pages.models import Page

Window = User.EmailNotifications
NOON = datetime(2031, 5, 14, 12, 7, tzinfo=UTC)


@pytest.fixture
def clock() -> time_machine.Traveller:  # type: ignore[misc] # a generator
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def choose(reader: User, window: str) -> None:
    edit_user(actor=reader, client=CLIENT, email_notifications=window)
    reschedule(reader.id)


def test_windows_end_with_the_full_hour_or_day_in_utc() -> None:
    def clock(hour: int, minute: int = 0, *, day: int = 14) -> datetime:
        return datetime(2031, 5, day, hour, minute, tzinfo=UTC)

    assert due_after(clock(12, 7), Window.INSTANT) == clock(12, 7)
    assert due_after(clock(12, 7), Window.HOURLY) == clock(13)
    assert due_after(clock(13), Window.HOURLY) == clock(14)
    assert due_after(clock(23, 59), Window.HOURLY) == clock(0, day=15)
    assert due_after(clock(12, 7), Window.DAILY) == clock(0, day=15)
    assert due_after(clock(0), Window.DAILY) == clock(0, day=15)


@pytest.mark.parametrize(
    ("window", "end"),
    [(Window.HOURLY, timedelta(minutes=53)), (Window.DAILY, timedelta(hours=19, minutes=53))],
)
def test_posts_of_one_window_are_one_mail(
    ses: Ses, bob: User, page: Page, clock: time_machine.Traveller, window: str, end: timedelta
) -> None:
    choose(bob, window)
    for content in ("First", "Second", "Third"):
        queue_deliveries(new_post(page, content).id)
        clock.shift(60)
    assert send_due() == 0
    clock.move_to(NOON + end - timedelta(seconds=1))
    assert send_due() == 0
    clock.move_to(NOON + end)
    assert send_due() == 1
    [mail] = ses.messages
    assert mail.subject == f"{page.name}: new posts (3)"
    places = [mail.text.index(content) for content in ("First", "Second", "Third")]
    assert places == sorted(places)
    assert send_due() == 0


def test_more_than_a_mail_holds_comes_in_another(ses: Ses, bob: User, page: Page) -> None:
    for n in range(5):
        queue_deliveries(new_post(page, f"Post {n}").id)
    with patch.object(sending, "POSTS_IN_MAIL", 2):
        assert send_due() == 3
    mailed = [re.findall(r"Post \d", mail.text) for mail in ses.messages]
    assert mailed == [["Post 0", "Post 1"], ["Post 2", "Post 3"], ["Post 4"]]


def test_each_page_is_a_mail_of_its_own(
    ses: Ses, bob: User, ann: User, page: Page, clock: time_machine.Traveller
) -> None:
    """Because one click stops the mails of one page."""
    other = new_page(ann, name="Another")
    make_follower(bob, other)
    choose(bob, Window.HOURLY)
    for each in (page, other, page):
        queue_deliveries(new_post(each).id)
    clock.shift(3600)
    assert send_due() == 2
    assert sorted(mail.subject for mail in ses.messages) == [
        f"{page.name}: new posts (2)",
        "Another: new post",
    ]
    assert len({mail.unsubscribe_url for mail in ses.messages}) == 2


def test_at_once_is_at_once_and_what_waits_together_leaves_together(
    ses: Ses, bob: User, page: Page
) -> None:
    queue_deliveries(new_post(page, "First").id)
    assert send_due() == 1
    for content in ("Second", "Third"):
        queue_deliveries(new_post(page, content).id)
    assert send_due() == 1
    assert [mail.subject for mail in ses.messages] == [
        f"{page.name}: new post",
        f"{page.name}: new posts (2)",
    ]


def test_who_chooses_a_shorter_window_has_what_waits_at_once(
    ses: Ses, bob: User, page: Page, clock: time_machine.Traveller
) -> None:
    choose(bob, Window.DAILY)
    queue_deliveries(new_post(page).id)
    choose(bob, Window.HOURLY)
    assert send_due() == 0
    choose(bob, Window.INSTANT)
    assert send_due() == 1
    choose(bob, Window.DAILY)
    clock.shift(timedelta(days=2))
    assert send_due() == 0


def test_who_chooses_a_longer_window_waits_for_its_resolve(
    ses: Ses, bob: User, page: Page, clock: time_machine.Traveller
) -> None:
    """Even where the task that handles the choice has not run yet."""
    queue_deliveries(new_post(page).id)
    edit_user(actor=bob, client=CLIENT, email_notifications=Window.DAILY)
    assert send_due() == 0
    assert Delivery.objects.get().due_at == datetime(2031, 5, 15, 8, tzinfo=UTC)
    clock.shift(timedelta(days=1))
    assert send_due() == 1


def test_who_chooses_never_gets_nothing_of_what_waits(
    ses: Ses, bob: User, page: Page, clock: time_machine.Traveller
) -> None:
    choose(bob, Window.HOURLY)
    queue_deliveries(new_post(page).id)
    choose(bob, Window.OFF)
    assert send_due() == 0
    choose(bob, Window.INSTANT)
    clock.shift(3600)
    assert send_due() == 0
    assert ses.messages == []


def test_daily_mail_comes_at_the_hour_of_the_reader_s_clocks(
    ses: Ses, bob: User, eve: User, page: Page, clock: time_machine.Traveller
) -> None:
    make_follower(eve, page)
    for reader, time_zone in ((bob, "Asia/Kolkata"), (eve, "America/New_York")):
        choose(reader, Window.DAILY)
        edit_user(actor=reader, client=CLIENT, time_zone=time_zone, digest_hour=19)
    queue_deliveries(new_post(page).id)
    due = dict(Delivery.objects.values_list("recipient", "due_at"))
    assert due == {
        bob.id: datetime(2031, 5, 14, 13, 30, tzinfo=UTC),
        eve.id: datetime(2031, 5, 14, 23, tzinfo=UTC),
    }
    clock.move_to(due[bob.id])
    assert send_due() == 1
    assert ses.messages[0].to == "bob@example.com"


def test_another_hour_or_zone_moves_what_waits(
    bob: User, page: Page, clock: time_machine.Traveller, events: Events
) -> None:
    choose(bob, Window.DAILY)
    queue_deliveries(new_post(page).id)
    for changes, due in (
        ({"digest_hour": 21}, datetime(2031, 5, 14, 21, tzinfo=UTC)),
        ({"time_zone": "Europe/Riga"}, datetime(2031, 5, 14, 18, tzinfo=UTC)),
    ):
        edit_user(actor=bob, client=CLIENT, **changes)
        assert events()[-1] == "user.notifications_changed"
        reschedule(bob.id)
        assert Delivery.objects.get().due_at == due
