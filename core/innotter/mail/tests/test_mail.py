"""A new post is mailed to each follower once, unless something forbids it by now."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.db import OperationalError
from django.db.models.functions import Now
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import at_once, make_follower, new_page, new_post, new_user
from innotter.mail import queueing, sending
from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.models import Delivery, Quota, Suppression, turn_of
from innotter.mail.outcomes import MOST_ATTEMPTS
from innotter.mail.queueing import queue_deliveries, send_again
from innotter.mail.sending import give_up_claims, send_due
from innotter.mail.subscriptions import stop_mails
from innotter.mail.suppressions import lift_suppressions
from innotter.mail.tasks import notify_followers
from innotter.mail.tests.conftest import SENT, Ses
from innotter.pages.follows import follow, unfollow
from innotter.pages.models import Follow, Page
from innotter.posts.models import Post

State = Delivery.State


def states() -> list[str]:
    return sorted(Delivery.objects.values_list("state", flat=True))


def make_due() -> None:
    """What waits for another attempt has waited long enough."""
    Delivery.objects.filter(state=State.WAITING).update(due_at=timezone.now())


# Who is mailed


def test_each_follower_is_mailed(ses: Ses, bob: User, eve: User, page: Page) -> None:
    make_follower(eve, page)
    post = new_post(page, "Fog over the harbour. Туман.")
    assert notify_followers(post_id=str(post.id)) == 2
    assert ses.mailed == ["bob@example.com", "eve@example.com"]
    assert len(ses.calls) == 1
    assert "Fog over the harbour. Туман." in ses.messages[0].text
    assert states() == [State.SENT, State.SENT]


def test_a_task_that_runs_twice_mails_once(ses: Ses, bob: User, post: Post) -> None:
    notify_followers(post_id=str(post.id))
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_mail_once(ses: Ses, page: Page) -> None:
    readers = [new_user(f"reader{n}") for n in range(60)]
    for reader in readers:
        follow(actor=reader, page=page)
    post = new_post(page)
    at_once(*[lambda: notify_followers(post_id=str(post.id))] * 4)
    # One of them may have ended while others still held the last mails.
    send_due()
    assert ses.mailed == sorted(str(reader.email) for reader in readers)
    assert all(len(call) <= 50 for call in ses.calls)


def test_who_waits_to_be_accepted_is_not_mailed(ses: Ses, eve: User, private_page: Page) -> None:
    follow(actor=eve, page=private_page)
    notify_followers(post_id=str(new_post(private_page).id))
    assert ses.mailed == []


def test_who_follows_after_the_post_is_not_mailed_about_it(
    ses: Ses, eve: User, page: Page, post: Post
) -> None:
    """However late the post is queued: the broker may have been away."""
    make_follower(eve, page)
    assert queue_deliveries(post.id) == 0


def switch_mails_off(reader: User, page: Page) -> None:
    reader.email_notifications = User.EmailNotifications.OFF
    reader.save()


def block_reader(reader: User, page: Page) -> None:
    reader.is_blocked = True
    reader.save()


def block_page(reader: User, page: Page) -> None:
    page.blocked_for_good = True
    page.save()


def block_owner(reader: User, page: Page) -> None:
    page.owner.is_blocked = True
    page.owner.save()


def leave(reader: User, page: Page) -> None:
    unfollow(actor=reader, page=page)


def stop(reader: User, page: Page) -> None:
    stop_mails(reader=reader, page=page)


CHANGES_OF_MIND = [switch_mails_off, block_reader, block_page, block_owner, leave, stop]


@pytest.mark.parametrize("change", CHANGES_OF_MIND)
def test_what_happens_before_the_mail_leaves_counts(
    ses: Ses, bob: User, page: Page, change: Callable[[User, Page], None]
) -> None:
    post = new_post(page)
    assert queue_deliveries(post.id) == 1
    change(bob, page)
    assert send_due() == 0
    assert ses.calls == []
    assert states() == [State.SKIPPED]


def test_a_moderator_who_follows_a_blocked_page_is_mailed(
    ses: Ses, moderator: User, page: Page
) -> None:
    """They may still see it."""
    make_follower(moderator, page)
    post = new_post(page)
    block_page(moderator, page)
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["moderator@example.com"]


def test_a_post_that_is_gone_is_not_mailed(ses: Ses, bob: User, post: Post) -> None:
    post_id = post.id
    queue_deliveries(post_id)
    post.delete()
    assert notify_followers(post_id=str(post_id)) == 0
    assert send_due() == 0
    assert ses.mailed == []


# Queueing


def test_followers_are_queued_in_chunks(page: Page) -> None:
    for n in range(7):
        make_follower(new_user(f"reader{n}"), page)
    post = new_post(page)
    with patch.object(queueing, "QUEUED_AT_ONCE", 3):
        assert queue_deliveries(post.id) == 7
        assert queue_deliveries(post.id) == 0
    assert states() == [State.WAITING] * 7


def test_queueing_goes_on_where_it_ended(page: Page) -> None:
    for n in range(7):
        make_follower(new_user(f"reader{n}"), page)
    post = new_post(page)
    queue, calls = queueing._queue_chunk, 0

    def dies_in_its_second_chunk(*words: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OperationalError
        return queue(*words)  # type: ignore[arg-type]

    with patch.object(queueing, "QUEUED_AT_ONCE", 3):
        with (
            patch.object(queueing, "_queue_chunk", dies_in_its_second_chunk),
            pytest.raises(OperationalError),
        ):
            queue_deliveries(post.id)
        assert queue_deliveries(post.id) == 4
    assert len(set(Delivery.objects.values_list("recipient", flat=True))) == 7


# What SES says


def test_a_mail_that_ses_stumbles_over_is_sent_later_and_the_others_now(
    ses: Ses, bob: User, eve: User, page: Page
) -> None:
    make_follower(eve, page)
    post = new_post(page)
    transient = Answer(Outcome.TRANSIENT_FAILURE, "TRANSIENT_FAILURE")
    ses.answer = lambda message: transient if message.to.startswith("bob") else SENT
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["eve@example.com"]
    [waiting] = Delivery.objects.filter(state=State.WAITING)
    assert waiting.recipient == bob
    assert (waiting.attempts, waiting.error) == (1, "TRANSIENT_FAILURE")
    assert timezone.now() < waiting.due_at < timezone.now() + timedelta(seconds=2)
    assert send_due() == 0

    ses.answer = lambda message: SENT
    make_due()
    assert send_due() == 1
    assert ses.mailed == ["bob@example.com", "eve@example.com"]


def test_patience_grows_and_ends(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda message: Answer(Outcome.TRANSIENT_FAILURE, "FAILED: no idea")
    notify_followers(post_id=str(post.id))
    waits = []
    while (delivery := Delivery.objects.get()).state == State.WAITING:
        waits.append((delivery.due_at - timezone.now()).total_seconds())
        make_due()
        send_due()
    assert len(waits) == MOST_ATTEMPTS - 1
    assert all(2**n / 2 - 1 < wait < 2**n for n, wait in enumerate(waits, 1))
    assert (delivery.state, delivery.error) == (State.FAILED, "FAILED: no idea")


def test_an_address_that_ses_refuses_is_given_up_at_once(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda message: Answer(Outcome.REFUSED, "MESSAGE_REJECTED: no such domain")
    notify_followers(post_id=str(post.id))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.error) == (State.FAILED, "MESSAGE_REJECTED: no such domain")
    make_due()
    assert send_due() == 0


def test_an_address_that_ses_refuses_is_not_asked_again(
    ses: Ses, bob: User, eve: User, page: Page
) -> None:
    make_follower(eve, page)
    said = Answer(Outcome.REFUSED, "Illegal address", bad_address=True)
    ses.answer = lambda message: said if message.to == "bob@example.com" else SENT
    notify_followers(post_id=str(new_post(page).id))
    [suppression] = Suppression.objects.all()
    assert (suppression.address, suppression.reason) == ("bob@example.com", "refused")
    assert suppression.detail == "Illegal address"

    notify_followers(post_id=str(new_post(page).id))
    assert [message.to for message in ses.calls[1]] == ["eve@example.com"]

    # Until a person lifts it,
    assert lift_suppressions([suppression.id]) == 1
    notify_followers(post_id=str(new_post(page).id))
    assert len(ses.calls[2]) == 2
    suppression.refresh_from_db()
    assert suppression.lifted_at is None
    # or the user takes another address.
    User.objects.filter(pk=bob.pk).update(email="robert@example.com")
    notify_followers(post_id=str(new_post(page).id))
    assert sorted(message.to for message in ses.calls[3]) == [
        "eve@example.com",
        "robert@example.com",
    ]


def test_a_message_that_ses_refuses_blames_no_address(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda message: Answer(Outcome.REFUSED, "Message too long")
    notify_followers(post_id=str(post.id))
    assert states() == [State.FAILED]
    assert not Suppression.objects.exists()


def test_while_ses_is_away_nothing_is_given_up(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda message: Answer(Outcome.UNAVAILABLE, "Could not connect")
    notify_followers(post_id=str(post.id))
    for _ in range(3 * MOST_ATTEMPTS):
        make_due()
        send_due()
    assert states() == [State.WAITING]
    ses.answer = lambda message: SENT
    make_due()
    assert send_due() == 1


def test_when_ses_takes_nothing_a_run_ends(ses: Ses, page: Page) -> None:
    """It would go on asking for every mail that is due."""
    for n in range(60):
        make_follower(new_user(f"reader{n}"), page)
    ses.answer = lambda message: Answer(Outcome.UNAVAILABLE, "ACCOUNT_THROTTLED")
    notify_followers(post_id=str(new_post(page).id))
    assert len(ses.calls) == 1


# Doubt


class Killed(BaseException):
    """A worker dies here: nothing after this is run."""


def test_a_worker_that_dies_before_ses_is_asked_leaves_the_mail_to_the_next(
    ses: Ses, bob: User, post: Post
) -> None:
    with patch.object(sending, "write_page_mail", side_effect=Killed), pytest.raises(Killed):
        notify_followers(post_id=str(post.id))
    assert states() == [State.WAITING]
    assert send_due() == 1


def test_a_worker_that_dies_with_the_answer_of_ses_leaves_a_doubt_and_no_second_mail(
    ses: Ses, bob: User, post: Post
) -> None:
    """The one case in which we do not know, and it errs on the side of not sending."""
    with patch.object(sending, "persist", side_effect=Killed), pytest.raises(Killed):
        notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]
    assert send_due() == 0
    assert give_up_claims() == 0

    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert give_up_claims() == 1
    assert states() == [State.UNKNOWN]
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]

    # Until a person decides.
    assert send_again([Delivery.objects.get().id]) == 1
    assert send_due() == 1


def test_an_answer_that_is_lost_is_a_doubt(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda message: Answer(Outcome.UNKNOWN, "Read timeout")
    notify_followers(post_id=str(post.id))
    make_due()
    assert send_due() == 0
    assert states() == [State.UNKNOWN]


def test_who_comes_back_too_late_changes_nothing_that_is_anothers(
    ses: Ses, bob: User, post: Post
) -> None:
    """A worker slept through its time; meanwhile somebody has decided to send again."""
    queue_deliveries(post.id)
    batch = sending._claim(50)
    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    give_up_claims()
    send_again(Delivery.objects.values_list("id", flat=True))
    failed = Answer(Outcome.REFUSED, "too late")
    claim = batch.claims[0]
    sending._update(batch, [sending.End(claim, failed, sending._resolve(claim, failed))])
    assert states() == [State.WAITING]


@pytest.mark.django_db(transaction=True)
def test_the_answer_of_ses_is_written_down_when_the_database_stumbles(
    ses: Ses, bob: User, post: Post
) -> None:
    update, calls = sending._update, 0

    def stumbles(*words: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OperationalError("deadlock detected")
        update(*words)  # type: ignore[arg-type]

    with patch.object(sending, "_update", stumbles), patch("time.sleep"):
        notify_followers(post_id=str(post.id))
    assert states() == [State.SENT]


def test_of_a_post_deleted_meanwhile_nothing_is_left(ses: Ses, bob: User, post: Post) -> None:
    def deleted(message: EmailMessage) -> Answer:
        post.delete()
        return SENT

    ses.answer = deleted
    assert notify_followers(post_id=str(post.id)) == 1
    assert states() == []


# Fairness


def test_a_new_post_does_not_wait_behind_another_pages_crowd(
    ses: Ses, ann: User, bob: User, page: Page
) -> None:
    crowded = new_page(ann)
    for n in range(60):
        make_follower(new_user(f"reader{n}"), crowded)
    queue_deliveries(new_post(crowded).id)
    notify_followers(post_id=str(new_post(page).id))
    assert ses.mailed == ["bob@example.com"]
    assert Follow.objects.filter(page=crowded).count() == 60
    assert send_due() == 60


@pytest.mark.parametrize("followers", [1, 5])
def test_what_waits_leaves_though_more_comes_than_may_leave(
    ses: Ses, ann: User, bob: User, eve: User, followers: int
) -> None:
    """Each second two new mails and capacity for one; newest first, the first would never leave."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        Quota.objects.create(rate=1, tokens=1, left_today=0, checked_at=timezone.now())
        crowded = new_page(ann)
        crowd = [new_user(f"reader{n}") for n in range(followers)]
        for reader in crowd:
            make_follower(reader, crowded)
        queue_deliveries(new_post(crowded).id)
        # Two for each second by which it is ahead, and the crowd itself.
        for _ in range(2 * followers + followers):
            clock.shift(1)
            page = new_page(ann)
            for reader in (bob, eve):
                make_follower(reader, page)
            queue_deliveries(new_post(page).id)
            allow(1)
            assert send_due() == 1
    assert {reader.email for reader in crowd} <= set(ses.mailed)
    # And a crowd is not first because it is large.
    assert (ses.messages[0].to == bob.email) == (followers > 1)


def test_what_is_urgent_overtakes_all_that_waits(
    ses: Ses, bob: User, eve: User, page: Page
) -> None:
    """Also when it is tried again."""
    make_follower(eve, page)
    Quota.objects.create(left_today=0, checked_at=timezone.now())
    queue_deliveries(new_post(page).id)
    Delivery.objects.update(turn_at=timezone.now() - timedelta(days=7))
    Delivery.objects.filter(recipient=eve).update(
        urgent=True, turn_at=turn_of(timezone.now(), urgent=True)
    )
    ses.answer = lambda message: Answer(Outcome.TRANSIENT_FAILURE, "FAILED")
    allow(1)
    assert send_due() == 0
    make_due()
    ses.answer = lambda message: SENT
    allow(1)
    assert send_due() == 1
    assert [call[0].to for call in ses.calls] == [eve.email] * 2


def allow(mails: int) -> None:
    """So many may leave now."""
    Quota.objects.update(
        left_today=mails, rate=1e6, tokens=mails, refilled_at=Now(), checked_at=Now()
    )
