"""What people are owed by mail about their accounts; the app mail writes and sends it."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from innotter.accounts.models import AccountMail, User
from innotter.common.database import delete_in_steps

# So long it is kept what became of a mail.
KEPT = timedelta(days=30)
# So many in one transaction, and so many transactions of each kind in one run.
PRUNED_AT_ONCE = 5_000
PRUNINGS = 20
PRUNE_MAIL = """
    DELETE FROM accounts_accountmail WHERE id = ANY(ARRAY(
        SELECT id FROM accounts_accountmail
        WHERE updated_at < %s AND state <> 'waiting'
        ORDER BY updated_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""
PRUNE_TOKENS = """
    DELETE FROM accounts_mailtoken WHERE id = ANY(ARRAY(
        SELECT id FROM accounts_mailtoken
        WHERE expires_at < %s
        ORDER BY expires_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""
PRUNE_MAILBOXES = """
    DELETE FROM accounts_formermailbox WHERE id = ANY(ARRAY(
        SELECT id FROM accounts_formermailbox
        WHERE reserved_until < %s
        ORDER BY reserved_until LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""


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
    statements = [(PRUNE_MAIL, now - KEPT), (PRUNE_TOKENS, now), (PRUNE_MAILBOXES, now)]
    return sum(
        delete_in_steps(statement, [until], at_once=PRUNED_AT_ONCE, steps=PRUNINGS)
        for statement, until in statements
    )
