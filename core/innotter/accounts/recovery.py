"""A forgotten password: a link by mail, for an hour, once."""

from django.db import transaction

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.limits import limit_resets
from innotter.accounts.mail_tokens import (
    InvalidLink,
    counted_link,
    mail_token,
    spend_mail_token,
    void_tokens,
)
from innotter.accounts.models import AccountMail, MailToken
from innotter.accounts.passwords import require_strong
from innotter.accounts.policies import require_unblocked
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.emails import folded_email

Kind, Purpose = AccountMail.Kind, MailToken.Purpose


def request_reset(*, email: str, language: str, client: Client) -> None:
    """A mail with a link, if the address is the confirmed one of an account. The same is done
    whether it is or not: the worker that writes the mail finds out, in the account's language or
    else in this one.

    Raises Throttled, which tells nothing either: it counts where the request comes from.
    """
    mailbox = folded_email(email)
    # Silently no more than some: the links of those before are good for as long as this holds, so
    # nobody is locked out by a stranger who asks.
    if limit_resets(mailbox, client):
        owe_mail(kind=Kind.PASSWORD_RESET, user=None, address=mailbox, language=language)


def reset_password(*, token: str, password: str, client: Client) -> None:
    """What the link of such a mail does: a new password; all sessions end, and so does every other
    link, and a claim on another mailbox. It logs nobody in: a second factor is asked as ever.

    Raises Throttled, InvalidLink, WeakPassword, UserBlocked.
    """
    with counted_link(client):
        found = mail_token(token, Purpose.RESET)
    require_strong(password, found.user)
    with transaction.atomic():
        user, mailbox = spend_mail_token(token, Purpose.RESET)
        require_unblocked(user)
        if (user.email or "").lower() != mailbox.lower():
            raise InvalidLink("token")
        user.set_password(password)
        user.pending_email, user.pending_since = "", None
        user.save(update_fields=["password", "pending_email", "pending_since", "updated_at"])
        void_tokens(user)
        end_all_sessions(user=user, but=None)
        owe_mail(kind=Kind.PASSWORD_CHANGED, user=user)
