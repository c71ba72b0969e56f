"""Mail about accounts overtakes mail about pages, arrives at least once, and tells no one else."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from innotter.accounts import mail_tokens
from innotter.accounts.account_mail import owe_mail
from innotter.accounts.mail_tokens import InvalidLink, mail_token, void_tokens
from innotter.accounts.models import AccountMail, FormerMailbox, MailToken, User
from innotter.accounts.registrations import registration_token
from innotter.config.tests.routes import make_registration
from innotter.conftest import at_once, new_user
from innotter.mail.account_mail import KINDS
from innotter.mail.message import Answer, EmailMessage, Outcome
from innotter.mail.models import Suppression
from innotter.mail.queueing import queue_deliveries
from innotter.mail.sending import send_due
from innotter.mail.suppressions import suppress
from innotter.mail.tests.conftest import Ses
from innotter.posts.models import Post

Kind, State = AccountMail.Kind, AccountMail.State


def states() -> list[str]:
    return sorted(AccountMail.objects.values_list("state", flat=True))


def make_due() -> None:
    """What waits for another attempt, or for a worker that died, has waited long enough."""
    now = timezone.now()
    waiting = AccountMail.objects.filter(state=State.WAITING)
    waiting.update(due_at=now)
    waiting.exclude(claimed_until=None).update(claimed_until=now - timedelta(seconds=1))


def owe_reset(address: str) -> None:
    owe_mail(kind=Kind.PASSWORD_RESET, user=None, address=address)


def tokens_in(message: EmailMessage) -> set[str]:
    return set(re.findall(r"/([\w-]{43})\b", message.text + message.html))


def test_it_leaves_before_mail_about_pages_that_has_waited_longer(
    ses: Ses, bob: User, post: Post
) -> None:
    queue_deliveries(post.id)
    owe_reset("bob@example.com")
    assert send_due() == 2
    assert [message.subject for message in ses.messages] == [
        "Set a new password",
        "A page of ann: new post",
    ]
    assert "List-Unsubscribe" not in ses.messages[0].headers


def test_its_link_is_good_and_only_its_digest_is_kept(ses: Ses, bob: User) -> None:
    owe_reset("bob@example.com")
    send_due()
    [token] = tokens_in(ses.messages[0])
    assert mail_token(token, MailToken.Purpose.RESET).user == bob
    rows = f"{AccountMail.objects.values()} {MailToken.objects.values()}"
    assert token not in rows


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", User.Language.values)
def test_each_kind_says_what_it_is_about_in_each_language(
    ses: Ses, bob: User, kind: AccountMail.Kind, language: str
) -> None:
    User.objects.filter(pk=bob.pk).update(pending_email="new@example.com")
    FormerMailbox.objects.create(
        user=bob, mailbox="old@example.com", reserved_until=timezone.now() + timedelta(days=1)
    )
    to = {Kind.CONFIRM: "new@example.com", Kind.EMAIL_CHANGED: "old@example.com"}.get(kind)
    claim = make_registration(is_confirmed=False)
    facts = {"name": "bob", "registration": str(claim.id)}
    owe_mail(kind=kind, user=bob, address=to, language=language, **facts)
    send_due()
    [message] = ses.messages
    with translation.override(language):
        assert message.subject == str(KINDS[kind].subject)
    assert "bob" in message.text
    assert "bob" in message.html
    if kind == Kind.REGISTRATION:
        assert f"/confirm/{registration_token(claim.id)}" in message.text
    else:
        assert len(tokens_in(message)) == (1 if KINDS[kind].purpose else 0)
    assert "{" not in message.text


def test_what_perhaps_was_sent_is_sent_again_and_both_links_are_good(ses: Ses, bob: User) -> None:
    seen: list[EmailMessage] = []

    def lose(message: EmailMessage) -> Answer:
        seen.append(message)
        return Answer(Outcome.UNKNOWN if len(seen) == 1 else Outcome.SENT, "no answer")

    ses.answer = lose
    owe_reset("bob@example.com")
    send_due()
    assert states() == [State.WAITING]
    make_due()
    send_due()
    assert states() == [State.SENT]
    for message in seen:
        [token] = tokens_in(message)
        assert mail_token(token, MailToken.Purpose.RESET).user == bob


def test_a_worker_that_dies_leaves_it_to_the_next(ses: Ses, bob: User) -> None:
    def die(message: EmailMessage) -> Answer:
        raise SystemExit

    owe_reset("bob@example.com")
    ses.answer = die
    with pytest.raises(SystemExit):
        send_due()
    ses.answer = Ses().answer
    assert send_due() == 0
    make_due()
    assert send_due() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_it_once(ses: Ses) -> None:
    for n in range(20):
        owe_reset(new_user(f"reader{n}").email or "")
    at_once(*[send_due] * 4)
    send_due()
    assert len(ses.mailed) == 20
    assert len(set(ses.mailed)) == 20


def test_an_address_that_nobody_has_confirmed_gets_no_link_to_a_password(
    ses: Ses, eve: User
) -> None:
    User.objects.filter(pk=eve.pk).update(email=None, pending_email="eve@example.com")
    owe_reset("eve@example.com")
    owe_reset("nobody@example.com")
    assert send_due() == 0
    assert states() == [State.SKIPPED, State.SKIPPED]


def test_a_blocked_account_and_a_suppressed_address_get_none(
    ses: Ses, bob: User, eve: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_blocked=True)
    suppress(
        "eve@example.com",
        reason=Suppression.Reason.BOUNCE,
        detail="",
        happened_at=timezone.now(),
    )
    for user in (bob, eve):
        owe_mail(kind=Kind.PASSWORD_CHANGED, user=user)
    send_due()
    assert ses.mailed == []
    # Who reads the address again says so by this one.
    owe_mail(kind=Kind.CONFIRM, user=eve, address="eve@example.com", again=True)
    send_due()
    assert ses.mailed == ["eve@example.com"]


def test_what_waits_when_all_links_become_void_leaves_no_more(ses: Ses, bob: User) -> None:
    owe_reset("bob@example.com")
    void_tokens(bob)
    assert send_due() == 0
    owe_reset("bob@example.com")
    assert send_due() == 1
    [token] = tokens_in(ses.messages[0])
    void_tokens(bob)
    with pytest.raises(InvalidLink):
        mail_token(token, MailToken.Purpose.RESET)


def test_a_token_expires_and_is_good_for_its_purpose_alone(bob: User) -> None:
    token = mail_tokens.mint_mail_token(bob, MailToken.Purpose.CONFIRM, "bob@example.com")
    with pytest.raises(InvalidLink):
        mail_token(token, MailToken.Purpose.RESET)
    MailToken.objects.update(expires_at=timezone.now())
    with pytest.raises(InvalidLink):
        mail_token(token, MailToken.Purpose.CONFIRM)
