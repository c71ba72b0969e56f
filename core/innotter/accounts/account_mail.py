"""What people are owed by mail about their accounts; the app mail writes and sends it."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from innotter.accounts.models import AccountMail, FormerMailbox, MailToken, User
from innotter.common.pruning import prune

# So long it is kept what became of a mail.
KEPT = timedelta(days=30)


def owe_mail(
    *,
    kind: AccountMail.Kind,
    user: User | None,
    address: str | None = None,
    language: str = "",
    **facts: Any,
) -> None:
    """For the caller's transaction: with its commit the mail is owed, and leaves within seconds.

    To the confirmed mailbox of the user unless there is an `address`; to nobody where there is
    neither. In the user's language unless one is given. `facts` are for the kind's templates:
    what JSON can hold, and never a token.
    """
    to = address or (user.email if user else None)
    if not to:
        return
    AccountMail.objects.create(
        user=user,
        kind=kind,
        address=to,
        language=language or (user.language if user else User.Language.ENGLISH),
        facts=facts,
    )


def prune_account_mail() -> int:
    """Deletes mails that ended long ago, tokens that have expired, and reservations of former
    mailboxes that are over; how many rows together."""
    now = timezone.now()
    ended = AccountMail.objects.filter(updated_at__lt=now - KEPT)
    return sum(
        (
            prune(ended.exclude(state=AccountMail.State.WAITING), by="updated_at"),
            prune(MailToken.objects.filter(expires_at__lt=now), by="expires_at"),
            prune(FormerMailbox.objects.filter(reserved_until__lt=now), by="reserved_until"),
        )
    )
