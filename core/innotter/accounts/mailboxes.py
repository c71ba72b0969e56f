"""Mailboxes of accounts: claimed, confirmed by a link in a mail, changed, and taken back."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import account_action
from innotter.accounts.limits import limit_resends
from innotter.accounts.mail_tokens import (
    InvalidLink,
    counted_link,
    mail_token,
    spend_mail_token,
    void_tokens,
)
from innotter.accounts.models import AccountMail, FormerMailbox, MailToken, User
from innotter.accounts.policies import require_active, require_unblocked
from innotter.accounts.second_factor import remove_factors_since
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.database import conflicts, lock_names
from innotter.common.emails import canonical_email
from innotter.common.errors import Conflict, Invalid

Kind, Purpose = AccountMail.Kind, MailToken.Purpose

# So long a former mailbox is nobody else's, and the link there takes the change back.
RESERVED_FOR = timedelta(days=7)
# The link there takes away second factors that are no older than this when the mailbox is changed:
# a thief may add one first.
RETAKEN_BEFORE = timedelta(days=1)

# Sent with `mailbox` in the transaction in which its reader has confirmed it.
mailbox_confirmed = Signal()


class EmailTaken(Conflict):
    code = "email_taken"
    detail = "This e-mail address is taken."


class InvalidEmail(Invalid):
    code = "invalid"
    detail = "Enter a valid e-mail address."


class NoMailbox(Conflict):
    code = "no_confirmed_email"
    detail = "This account has no confirmed e-mail address."


def canonical(email: str) -> str:
    """Raises InvalidEmail."""
    try:
        return canonical_email(email)
    except ValueError:
        raise InvalidEmail("email") from None


def needs_confirmation() -> bool:
    return bool(settings.EMAIL_CONFIRMATION != "off")


def is_free(mailbox: str, *, but: User | None = None) -> bool:
    """Whether nobody else has confirmed the mailbox, or had it and may take it back."""
    mine = [but.pk] if but else []
    held = User.objects.exclude(pk__in=mine).filter(email__lower=mailbox)
    reserved = FormerMailbox.objects.exclude(user__in=mine).filter(
        mailbox=mailbox, reserved_until__gt=timezone.now()
    )
    # Both, whatever the first says: no answer takes longer for a mailbox that nobody has.
    found = [held.exists(), reserved.exists()]
    return not any(found)


def require_free(mailbox: str, *, but: User | None = None) -> None:
    """Raises EmailTaken."""
    if not is_free(mailbox, but=but):
        raise EmailTaken


def claim_mailbox(user: User, mailbox: str, *, ask: bool) -> None:
    """The user, whose row is locked or new, says that this mailbox is theirs. With `ask`, a mail
    asks its reader; where it is somebody else's already, it tells that one.

    Saves the claim. For use in a transaction.
    """
    if user.pending_email != mailbox:
        user.pending_email, user.pending_since = mailbox, timezone.now()
        user.save(update_fields=["pending_email", "pending_since", "updated_at"])
    if ask:
        kind = Kind.CONFIRM if is_free(mailbox, but=user) else Kind.EMAIL_IN_USE
        owe_mail(kind=kind, user=user, address=mailbox)


def drop_claim(user: User) -> None:
    """For use in a transaction that has locked the user."""
    user.pending_email, user.pending_since = "", None
    user.save(update_fields=["pending_email", "pending_since", "updated_at"])


def set_mailbox(user: User, mailbox: str) -> None:
    """It is the user's from now on, and no other claim on it is left. The one before is reserved,
    and told. For use in a transaction that has locked the name first and then the user.

    Raises EmailTaken.
    """
    require_free(mailbox, but=user)
    now = timezone.now()
    former = user.email
    FormerMailbox.objects.filter(user=user, mailbox=mailbox).delete()
    if former and former != mailbox:
        FormerMailbox.objects.update_or_create(
            mailbox=former, defaults={"user": user, "reserved_until": now + RESERVED_FOR}
        )
        owe_mail(kind=Kind.EMAIL_CHANGED, user=user, address=former)
    user.email, user.pending_email, user.pending_since = mailbox, "", None
    user.save(update_fields=["email", "pending_email", "pending_since", "updated_at"])
    others = User.objects.filter(pending_email=mailbox)
    others.update(pending_email="", pending_since=None, updated_at=now)


def lock_mailbox(mailbox: str) -> None:
    """Before the row of a user is locked for set_mailbox()."""
    lock_names("mailbox", mailbox)


def confirm_email(*, token: str, client: Client) -> None:
    """What the link of a mail does: the mailbox is the account's.

    Raises Throttled, InvalidLink, UserBlocked, UserLeaving, EmailTaken.
    """
    with counted_link(client), conflicts({"user_email_unique": EmailTaken}):
        lock_mailbox(mail_token(token, Purpose.CONFIRM).mailbox)
        user, mailbox = spend_mail_token(token, Purpose.CONFIRM)
        require_active(user)
        if user.pending_email == mailbox:
            set_mailbox(user, mailbox)
        elif user.email != mailbox:
            raise InvalidLink("token")
        mailbox_confirmed.send(User, mailbox=mailbox)


def undo_email(*, token: str, client: Client) -> None:
    """What the link at the former mailbox does: it is the account's again, all sessions end, second
    factors that came with the change go, and a new password has to be set, for which a mail goes
    there.

    Raises Throttled, InvalidLink, UserBlocked, EmailTaken.
    """
    with counted_link(client), conflicts({"user_email_unique": EmailTaken}):
        lock_mailbox(mail_token(token, Purpose.UNDO).mailbox)
        user, mailbox = spend_mail_token(token, Purpose.UNDO)
        require_unblocked(user)
        former = FormerMailbox.objects.filter(user=user, mailbox=mailbox).first()
        if former is None:
            raise InvalidLink("token")
        # Who changed it may have changed it again: what came later is taken back with it.
        FormerMailbox.objects.filter(user=user, updated_at__gte=former.updated_at).delete()
        user.email, user.pending_email, user.pending_since = mailbox, "", None
        user.set_unusable_password()
        user.save(
            update_fields=["email", "pending_email", "pending_since", "password", "updated_at"]
        )
        void_tokens(user)
        end_all_sessions(user=user, but=None)
        remove_factors_since(user, former.updated_at - RETAKEN_BEFORE)
        owe_mail(kind=Kind.PASSWORD_RESET, user=user)


@account_action
def resend_confirmation(*, actor: User) -> None:
    """Another mail to the mailbox that the user claims, or else to the one that they have: who
    reads that can say so anew after mail to it was stopped. Earlier links stay good.

    Raises Throttled.
    """
    limit_resends(actor.pending_email or actor.email or "")
    with transaction.atomic():
        now = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        if now.pending_email:
            claim_mailbox(now, now.pending_email, ask=True)
        elif now.email:
            owe_mail(kind=Kind.CONFIRM, user=now, address=now.email, again=True)
