"""Tokens of links in mails: each does one thing for one account, once, and for a while."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from innotter.accounts.limits import limit_links
from innotter.accounts.models import MailToken, User
from innotter.accounts.selectors import digest
from innotter.common.clients import Client
from innotter.common.errors import DomainError, Invalid
from innotter.common.throttling import refund

Purpose = MailToken.Purpose

LIFE = {
    Purpose.CONFIRM: timedelta(days=1),
    Purpose.UNDO: timedelta(days=7),
    Purpose.RESET: timedelta(hours=1),
}
# What a new password, a reset or another second factor leaves nothing of. The link that takes a
# change of the mailbox back stays: who has stolen the account sets a password, too.
VOIDED = {Purpose.CONFIRM, Purpose.RESET}


class InvalidLink(Invalid):
    code = "invalid_link"
    detail = "This link was used, has expired, or was replaced by another."


@contextmanager
def counted_link(client: Client) -> Iterator[None]:
    """In which a token from a mail is tried: counted before, outside the transaction, and refunded
    where it was no guess. Raises Throttled."""
    use = limit_links(client)
    try:
        yield
    except InvalidLink:
        raise
    except DomainError:
        refund(use)
        raise
    refund(use)


def mint_mail_token(user: User, purpose: MailToken.Purpose, mailbox: str) -> str:
    """For the worker that writes the mail, with the user locked: nobody else ever knows the token.
    Those minted before for the same stay good."""
    token = secrets.token_urlsafe(32)
    MailToken.objects.create(
        user=user,
        purpose=purpose,
        mailbox=mailbox,
        digest=digest(token),
        expires_at=timezone.now() + LIFE[purpose],
    )
    return token


def mail_token(token: str, purpose: MailToken.Purpose) -> MailToken:
    """With its user; nothing is spent. Raises InvalidLink."""
    found = (
        MailToken.objects.select_related("user")
        .filter(
            digest=digest(token),
            purpose=purpose,
            spent_at=None,
            expires_at__gt=timezone.now(),
        )
        .first()
    )
    if found is None:
        raise InvalidLink("token")
    return found


def spend_mail_token(token: str, purpose: MailToken.Purpose) -> tuple[User, str]:
    """The account, locked until the transaction ends, and the mailbox. Others for the same are
    spent with it. Of many at once one wins. Raises InvalidLink."""
    # The account first: everything else that voids its tokens holds that lock too.
    user = User.objects.select_for_update(no_key=True).get(pk=mail_token(token, purpose).user_id)
    found = mail_token(token, purpose)
    # Not those of other mailboxes: a thief who takes one of their own changes back must not end the
    # link of the owner.
    _spend(user, purpose=purpose, mailbox=found.mailbox)
    return user, found.mailbox


def void_tokens(user: User) -> None:
    """For a new password, a reset or a changed second factor, in its transaction, with the user
    locked: no link that was asked for before confirms a mailbox or sets a password any more."""
    user.links_void_before = timezone.now()
    user.save(update_fields=["links_void_before", "updated_at"])
    _spend(user, purpose__in=VOIDED)


def is_void(user: User, purpose: MailToken.Purpose, asked_at: datetime) -> bool:
    """Of a mail that was asked for then: whether void_tokens() came after it."""
    since = user.links_void_before
    return purpose in VOIDED and since is not None and asked_at < since


def _spend(user: User, **which: Any) -> None:
    now = timezone.now()
    MailToken.objects.filter(user=user, spent_at=None, **which).update(spent_at=now, updated_at=now)
