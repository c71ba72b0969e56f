"""A new post is mailed to each follower once, unless something forbids it by now."""

from collections.abc import Callable, Iterator
from unittest.mock import MagicMock, patch

import pytest
from botocore.exceptions import EndpointConnectionError
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import at_once, make_follower, new_post, new_user
from innotter.mail.models import Delivery
from innotter.mail.services import queue_deliveries, send_deliveries, stop_mails
from innotter.mail.ses import send_mail
from innotter.mail.tasks import notify_followers
from innotter.pages.models import Page
from innotter.pages.services import follow, unfollow
from innotter.posts.models import Post

AWAY = EndpointConnectionError(endpoint_url="https://ses.example")


@pytest.fixture
def ses() -> Iterator[MagicMock]:
    with patch("innotter.mail.services.send_mail") as sent:
        yield sent


def mailed(ses: MagicMock) -> list[str]:
    return sorted(call.kwargs["to"] for call in ses.call_args_list)


def test_each_follower_is_mailed(ses: MagicMock, bob: User, eve: User, page: Page) -> None:
    make_follower(eve, page)
    post = new_post(page, "Fog over the harbour. Туман.")
    assert notify_followers(post_id=str(post.id)) == 2
    assert mailed(ses) == ["bob@example.com", "eve@example.com"]
    mail = ses.call_args.kwargs
    assert mail["subject"] == f"{page.name}: new post"
    assert "Fog over the harbour. Туман." in mail["text"]


def test_a_task_that_runs_twice_mails_once(ses: MagicMock, bob: User, post: Post) -> None:
    notify_followers(post_id=str(post.id))
    notify_followers(post_id=str(post.id))
    assert mailed(ses) == ["bob@example.com"]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_mail_once(ses: MagicMock, page: Page) -> None:
    readers = [new_user(f"reader{n}") for n in range(12)]
    for reader in readers:
        follow(user=reader, page=page)
    post = new_post(page)
    at_once(*[lambda: notify_followers(post_id=str(post.id))] * 4)
    assert mailed(ses) == sorted(reader.email for reader in readers)


def test_who_waits_to_be_accepted_is_not_mailed(
    ses: MagicMock, eve: User, private_page: Page
) -> None:
    follow(user=eve, page=private_page)
    notify_followers(post_id=str(new_post(private_page).id))
    assert mailed(ses) == []


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
    ses: MagicMock, bob: User, page: Page, change: Callable[[User, Page], None]
) -> None:
    post = new_post(page)
    assert queue_deliveries(post.id) == 1
    change(bob, page)
    assert send_deliveries(post.id) == 0
    assert mailed(ses) == []
    assert not Delivery.objects.filter(sent_at=None).exists()


def test_a_moderator_who_follows_a_blocked_page_is_mailed(
    ses: MagicMock, moderator: User, page: Page
) -> None:
    """They may still see it."""
    make_follower(moderator, page)
    post = new_post(page)
    block_page(moderator, page)
    notify_followers(post_id=str(post.id))
    assert mailed(ses) == ["moderator@example.com"]


def test_a_post_that_is_gone_is_not_mailed(ses: MagicMock, bob: User, post: Post) -> None:
    post_id = post.id
    queue_deliveries(post_id)
    post.delete()
    assert notify_followers(post_id=str(post_id)) == 0
    assert mailed(ses) == []


def test_what_ses_does_not_take_stays_owed(
    ses: MagicMock, bob: User, eve: User, page: Page
) -> None:
    make_follower(eve, page)
    post = new_post(page)
    queue_deliveries(post.id)
    ses.side_effect = [None, AWAY]
    with pytest.raises(EndpointConnectionError):
        send_deliveries(post.id)
    assert Delivery.objects.filter(sent_at=None).count() == 1

    ses.side_effect = None
    before = timezone.now()
    assert send_deliveries(post.id) == 1
    # The one that failed was tried a second time; the other was left alone.
    assert len(set(mailed(ses))) == 2
    assert ses.call_count == 3
    assert Delivery.objects.filter(sent_at__gte=before).count() == 1


def test_ses_takes_our_mail() -> None:
    """The real client, against SES as the environment has it."""
    send_mail(to="someone@example.com", subject="Тема", text="Привет 👋")
