from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from innotter.accounts.models.users import User
from innotter.common.compiled import Parameter
from innotter.common.emails import MAX_EMAIL_LENGTH
from innotter.common.models import Record


class MailToken(Record):
    """What a link in a mail allows, once. The token is in the mail alone; see mail_tokens.py."""

    class Purpose(models.TextChoices):
        # `mailbox` is the account's.
        CONFIRM = "confirm"
        # `mailbox`, the former one, is the account's again.
        UNDO = "undo"
        # A new password, by who reads `mailbox`.
        RESET = "reset"

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    purpose = models.CharField(max_length=10, choices=Purpose)
    mailbox = models.CharField(max_length=MAX_EMAIL_LENGTH)
    # SHA-256 of the token, in hexadecimal.
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    # When it was used, or became void.
    spent_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(name="mail_token_expiry", fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.user_id} {self.purpose} {self.id}"


class FormerMailbox(Record):
    """A mailbox that an account has changed for another: nobody else's until `reserved_until`, so
    that the change can be taken back."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    mailbox = models.CharField(max_length=MAX_EMAIL_LENGTH, unique=True)
    reserved_until = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(name="former_mailbox_end", fields=["reserved_until"])]

    def __str__(self) -> str:
        return f"{self.user_id} {self.id}"


class AccountMail(Record):
    """A mail about an account that is owed to an address, until it has left at least once.

    What it says is written when it leaves, by the app mail; see account_mail.py.
    """

    class Kind(models.TextChoices):
        CONFIRM = "confirm"
        # To who has the mailbox already that another account claims.
        EMAIL_IN_USE = "email_in_use"
        # To the former mailbox, with the link that takes the change back.
        EMAIL_CHANGED = "email_changed"
        PASSWORD_RESET = "password_reset"
        PASSWORD_CHANGED = "password_changed"
        # With a device, or from a network, that the account was not logged in with of late.
        NEW_LOGIN = "new_login"
        LEAVING = "leaving"
        # To who had an account.
        GONE = "gone"
        EXPORT_READY = "export_ready"
        # With `change`, a word that the templates know.
        FACTOR_CHANGED = "factor_changed"
        # About an account that is not there yet: its claim is to be confirmed, or was decided on.
        REGISTRATION = "registration"
        REGISTRATION_APPROVED = "registration_approved"
        REGISTRATION_REJECTED = "registration_rejected"
        # To who has the mailbox already that such a claim names.
        ALREADY_REGISTERED = "already_registered"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        # SES will not have it, or not after many attempts.
        FAILED = "failed"
        # Not for this reader, or not any more, when it was to leave.
        SKIPPED = "skipped"

    # None: whose it is, is found when it leaves, or it is about no account, or one that is gone.
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE)
    # Of Kind. Named without `choices`: another kind is no migration.
    kind = models.CharField(max_length=30)
    address = models.CharField(max_length=MAX_EMAIL_LENGTH)
    language = models.CharField(max_length=2, choices=User.Language)
    # What the templates know of the matter; never a token.
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, db_default=State.WAITING)
    due_at = models.DateTimeField(db_default=Now())
    # A worker is sending it, until then; if nothing was said by then, another one does.
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(db_default=0)
    # What went wrong the last time.
    error = models.TextField(db_default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "account mails"
        indexes: ClassVar = [
            models.Index(
                name="account_mail_due", fields=["due_at", "id"], condition=Q(state="waiting")
            ),
            models.Index(
                name="account_mail_over", fields=["updated_at"], condition=~Q(state="waiting")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @classmethod
    def due(cls, now: datetime | Parameter) -> "QuerySet[AccountMail]":
        """That may leave, and that nobody is sending."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        return cls.objects.filter(free, state=cls.State.WAITING, due_at__lte=now)
