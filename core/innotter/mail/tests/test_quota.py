"""No more mail than the account may send, however many workers there are."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import EndpointConnectionError
from django.db.models.functions import Now

from innotter.accounts.models import User
from innotter.conftest import at_once, make_follower, new_page, new_post, new_user
from innotter.mail import quota
from innotter.mail.models import Delivery, Quota
from innotter.mail.quota import Allowance, acquire, follow_account, release
from innotter.mail.sending import notify_followers, send_due
from innotter.mail.ses import AccountQuota
from innotter.mail.tests.conftest import Ses
from innotter.pages.models import Page

type SetQuota = Callable[..., None]


@pytest.fixture
def bucket(db: None) -> Iterator[SetQuota]:
    """Sets what the one row holds; nothing flows in while the test runs, unless it says so."""
    Quota.objects.create()

    def set_to(**fields: Any) -> None:
        Quota.objects.update(refilled_at=Now(), **fields)

    with patch.object(quota, "ACQUIRE", quota.ACQUIRE.replace("clock_timestamp()", "refilled_at")):
        yield set_to


def test_a_bucket_gives_what_it_has(bucket: SetQuota) -> None:
    bucket(rate=14, tokens=14)
    assert acquire(10).mails == 10
    assert acquire(10).mails == 4
    nothing = acquire(10)
    assert nothing.mails == 0
    assert nothing.wait == pytest.approx(quota.SHARE)
    release(3)
    assert acquire(10).mails == 3


def test_it_fills_by_the_rate_and_holds_one_second(db: None) -> None:
    Quota.objects.create(rate=1000, tokens=0, refilled_at=Now() - timedelta(hours=1))
    assert acquire(5000).mails == 1000


def test_what_is_left_of_the_day_bounds_it(bucket: SetQuota) -> None:
    bucket(rate=100, tokens=100, left_today=5)
    assert acquire(50).mails == 5
    assert acquire(50) == Allowance(0, None)
    release(2)
    assert acquire(50).mails == 2


def test_a_rate_of_nothing_is_no_reason_to_wait(bucket: SetQuota) -> None:
    bucket(rate=0, tokens=0)
    assert acquire(50) == Allowance(0, None)


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_it(bucket: SetQuota) -> None:
    bucket(rate=100, tokens=100)
    got = at_once(*[lambda: acquire(30).mails] * 6)
    assert sum(got) == 100


def test_the_account_is_asked_once_a_minute(db: None) -> None:
    answers = [AccountQuota(14, 100), AccountQuota(50, None)]
    with patch.object(quota, "account_quota", side_effect=answers) as asked:
        follow_account()
        follow_account()
        assert asked.call_count == 1
        assert (Quota.objects.get().rate, Quota.objects.get().left_today) == (14, 100)
        Quota.objects.update(checked_at=Now() - timedelta(minutes=2))
        follow_account()
    assert (Quota.objects.get().rate, Quota.objects.get().left_today) == (50, None)


def test_without_an_answer_the_last_one_holds_and_the_next_run_asks_again(db: None) -> None:
    Quota.objects.create(rate=14)
    away = EndpointConnectionError(endpoint_url="https://ses.example")
    with patch.object(quota, "account_quota", side_effect=away) as asked:
        follow_account()
        follow_account()
    assert asked.call_count == 2
    assert Quota.objects.get().rate == 14


def test_mail_beyond_the_days_quota_waits(ses: Ses, page: Page) -> None:
    for n in range(5):
        make_follower(new_user(f"reader{n}"), page)
    ses.quota = AccountQuota(1e6, 3)
    assert notify_followers(new_post(page).id) == 3
    assert Delivery.objects.filter(state="waiting", attempts=0).count() == 2
    Quota.objects.update(left_today=None)
    assert notify_followers(new_post(page).id) == 5


@pytest.mark.django_db(transaction=True)
def test_one_of_all_workers_waits(db: None) -> None:
    assert sorted(at_once(*[lambda: quota.wait(1)] * 4)) == [False, False, False, True]
    assert quota.wait(0)


def test_a_new_post_is_told_before_a_crowd_that_waits(ses: Ses, bob: User, page: Page) -> None:
    crowded = new_page(page.owner)
    for n in range(5):
        make_follower(new_user(f"reader{n}"), crowded)
    ses.quota = AccountQuota(1e6, 0)
    notify_followers(new_post(crowded).id)
    notify_followers(new_post(page).id)
    assert ses.messages == []
    Quota.objects.update(left_today=3)
    assert send_due() == 3
    assert ses.messages[0].to == bob.email


def test_what_nobody_wants_costs_nothing(ses: Ses, bob: User, page: Page) -> None:
    ses.quota = AccountQuota(1e6, 3)
    post = new_post(page)
    with patch("innotter.mail.sending.follow_account"):
        Quota.objects.create(rate=1e6, left_today=3, tokens=50)
        notify_followers(post.id)
    assert Quota.objects.get().left_today == 2
