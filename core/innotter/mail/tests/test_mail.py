"""A new post is mailed to each follower once, unless something forbids it by now."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import at_once, make_follower, new_page, new_post, new_user
from innotter.mail import services
from innotter.mail.models import Delivery
from innotter.mail.services import (
    give_up_claims,
    queue_deliveries,
    send_again,
    send_due,
    stop_mails,
)
from innotter.mail.ses import Fate, Letter, Outcome
from innotter.mail.tasks import notify_followers
from innotter.mail.tests.conftest import SENT, Ses
from innotter.pages.models import Follow, Page
from innotter.pages.services import follow, unfollow
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
    assert "Fog over the harbour. Туман." in ses.letters[0].text
    assert states() == [State.SENT, State.SENT]


def test_a_task_that_runs_twice_mails_once(ses: Ses, bob: User, post: Post) -> None:
    notify_followers(post_id=str(post.id))
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_mail_once(ses: Ses, page: Page) -> None:
    readers = [new_user(f"reader{n}") for n in range(60)]
    for reader in readers:
        follow(user=reader, page=page)
    post = new_post(page)
    at_once(*[lambda: notify_followers(post_id=str(post.id))] * 4)
    # One of them may have ended while others still held the last mails.
    send_due()
    assert ses.mailed == sorted(reader.email for reader in readers)
    assert all(len(call) <= 50 for call in ses.calls)


def test_who_waits_to_be_accepted_is_not_mailed(ses: Ses, eve: User, private_page: Page) -> None:
    follow(user=eve, page=private_page)
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
    unfollow(user=reader, page=page)


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
    assert states() == [State.LEFT_OUT]


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
    with patch.object(services, "QUEUED_AT_ONCE", 3):
        assert queue_deliveries(post.id) == 7
        assert queue_deliveries(post.id) == 0
    assert states() == [State.WAITING] * 7


def test_queueing_goes_on_where_it_ended(page: Page) -> None:
    for n in range(7):
        make_follower(new_user(f"reader{n}"), page)
    post = new_post(page)
    queue, calls = services._queue_chunk, 0

    def dies_in_its_second_chunk(*words: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OperationalError
        return queue(*words)  # type: ignore[arg-type]

    with patch.object(services, "QUEUED_AT_ONCE", 3):
        with (
            patch.object(services, "_queue_chunk", dies_in_its_second_chunk),
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
    stumbled = Outcome(Fate.STUMBLED, "TRANSIENT_FAILURE")
    ses.answer = lambda letter: stumbled if letter.to.startswith("bob") else SENT
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["eve@example.com"]
    [waiting] = Delivery.objects.filter(state=State.WAITING)
    assert waiting.recipient == bob
    assert (waiting.attempts, waiting.error) == (1, "TRANSIENT_FAILURE")
    assert timezone.now() < waiting.due_at < timezone.now() + timedelta(seconds=2)
    assert send_due() == 0

    ses.answer = lambda letter: SENT
    make_due()
    assert send_due() == 1
    assert ses.mailed == ["bob@example.com", "eve@example.com"]


def test_patience_grows_and_ends(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda letter: Outcome(Fate.STUMBLED, "FAILED: no idea")
    notify_followers(post_id=str(post.id))
    waits = []
    while (delivery := Delivery.objects.get()).state == State.WAITING:
        waits.append((delivery.due_at - timezone.now()).total_seconds())
        make_due()
        send_due()
    assert len(waits) == services.MOST_ATTEMPTS - 1
    assert all(2**n / 2 - 1 < wait < 2**n for n, wait in enumerate(waits, 1))
    assert (delivery.state, delivery.error) == (State.FAILED, "FAILED: no idea")


def test_an_address_that_ses_refuses_is_given_up_at_once(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda letter: Outcome(Fate.REFUSED, "MESSAGE_REJECTED: no such domain")
    notify_followers(post_id=str(post.id))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.error) == (State.FAILED, "MESSAGE_REJECTED: no such domain")
    make_due()
    assert send_due() == 0


def test_while_ses_is_away_nothing_is_given_up(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda letter: Outcome(Fate.PUT_OFF, "Could not connect")
    notify_followers(post_id=str(post.id))
    for _ in range(3 * services.MOST_ATTEMPTS):
        make_due()
        send_due()
    assert states() == [State.WAITING]
    ses.answer = lambda letter: SENT
    make_due()
    assert send_due() == 1


def test_when_ses_takes_nothing_a_run_ends(ses: Ses, page: Page) -> None:
    """It would go on asking for every mail that is due."""
    for n in range(60):
        make_follower(new_user(f"reader{n}"), page)
    ses.answer = lambda letter: Outcome(Fate.PUT_OFF, "ACCOUNT_THROTTLED")
    notify_followers(post_id=str(new_post(page).id))
    assert len(ses.calls) == 1


# Doubt


class Killed(BaseException):
    """A worker dies here: nothing after this is run."""


def test_a_worker_that_dies_before_ses_is_asked_leaves_the_mail_to_the_next(
    ses: Ses, bob: User, post: Post
) -> None:
    with patch.object(services, "write_letter", side_effect=Killed), pytest.raises(Killed):
        notify_followers(post_id=str(post.id))
    assert states() == [State.WAITING]
    assert send_due() == 1


def test_a_worker_that_dies_with_the_answer_of_ses_leaves_a_doubt_and_no_second_mail(
    ses: Ses, bob: User, post: Post
) -> None:
    """The one case in which we do not know, and it errs on the side of not sending."""
    with patch.object(services, "_record", side_effect=Killed), pytest.raises(Killed):
        notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]
    assert send_due() == 0
    assert give_up_claims() == 0

    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert give_up_claims() == 1
    assert states() == [State.DOUBTFUL]
    notify_followers(post_id=str(post.id))
    assert ses.mailed == ["bob@example.com"]

    # Until a person decides.
    assert send_again([Delivery.objects.get().id]) == 1
    assert send_due() == 1


def test_an_answer_that_is_lost_is_a_doubt(ses: Ses, bob: User, post: Post) -> None:
    ses.answer = lambda letter: Outcome(Fate.DOUBTFUL, "Read timeout")
    notify_followers(post_id=str(post.id))
    make_due()
    assert send_due() == 0
    assert states() == [State.DOUBTFUL]


def test_who_comes_back_too_late_changes_nothing_that_is_anothers(
    ses: Ses, bob: User, post: Post
) -> None:
    """A worker slept through its time; meanwhile somebody has decided to send again."""
    queue_deliveries(post.id)
    batch = services._claim(50, None)
    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    give_up_claims()
    send_again(Delivery.objects.values_list("id", flat=True))
    failed = Outcome(Fate.REFUSED, "too late")
    services._record(batch, [services._end(batch.claims[0], failed)])
    assert states() == [State.WAITING]


@pytest.mark.django_db(transaction=True)
def test_the_answer_of_ses_is_written_down_when_the_database_stumbles(
    ses: Ses, bob: User, post: Post
) -> None:
    settle, calls = services._settle, 0

    def stumbles(*words: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OperationalError("deadlock detected")
        settle(*words)  # type: ignore[arg-type]

    with patch.object(services, "_settle", stumbles), patch("time.sleep"):
        notify_followers(post_id=str(post.id))
    assert states() == [State.SENT]


def test_of_a_post_deleted_meanwhile_nothing_is_left(ses: Ses, bob: User, post: Post) -> None:
    def deleted(letter: Letter) -> Outcome:
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
