"""What an admin may do about mails in the panel."""

import pytest
from django.test import Client
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import no_trace, signed_in
from innotter.mail.models import Delivery, Suppression
from innotter.posts.models import Post

State = Delivery.State


@pytest.fixture
def suppression(db: None) -> Suppression:
    return Suppression.objects.create(
        address="bob@example.com",
        reason=Suppression.Reason.BOUNCE,
        happened_at=timezone.now(),
    )


def test_what_failed_or_is_in_doubt_is_sent_again_and_nothing_else(
    browser: Client, post: Post, bob: User, eve: User, moderator: User
) -> None:
    readers = {State.FAILED: bob, State.UNKNOWN: eve, State.SENT: moderator}
    rows = [
        Delivery.objects.create(page=post.page, post=post, recipient=reader, state=state)
        for state, reader in readers.items()
    ]
    form = {"action": "send_again", "_selected_action": [str(row.pk) for row in rows]}
    done = browser.post("/admin/mail/delivery/", form, follow=True)
    assert [str(message) for message in done.context["messages"]] == ["Waiting again: 2."]
    states = {row.recipient: row.state for row in Delivery.objects.select_related("recipient")}
    assert states == {bob: State.WAITING, eve: State.WAITING, moderator: State.SENT}


def test_an_address_is_tried_again(browser: Client, suppression: Suppression) -> None:
    form = {"action": "lift", "_selected_action": [str(suppression.pk)]}
    done = browser.post("/admin/mail/suppression/", form, follow=True)
    assert [str(message) for message in done.context["messages"]] == ["Lifted: 1."]
    suppression.refresh_from_db()
    assert suppression.lifted_at is not None
    again = browser.post("/admin/mail/suppression/", form, follow=True)
    assert [str(message) for message in again.context["messages"]] == ["Lifted: 0."]


def test_nobody_but_an_admin_may(eve: User, moderator: User, suppression: Suppression) -> None:
    form = {"action": "lift", "_selected_action": [str(suppression.pk)]}
    for outsider in (eve, moderator):
        browser = signed_in(outsider)
        with no_trace():
            assert browser.post("/admin/mail/suppression/", form).status_code == 302
