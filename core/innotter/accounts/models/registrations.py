from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from innotter.accounts.models.users import LONGEST_TITLE, User
from innotter.common.emails import MAX_EMAIL_LENGTH
from innotter.common.models import Record
from innotter.common.time_zones import LONGEST_ZONE


class Invitation(Record):
    """A link by which so many people may register until a moment."""

    MOST_USES = 1_000

    code = models.CharField(max_length=32, unique=True)
    # Null: their account is gone.
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    uses = models.PositiveIntegerField()
    # By accounts. Claims on one hold a use of their own, as long as they last.
    used = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="invitation_not_overused", condition=Q(used__lte=F("uses")))
        ]
        indexes: ClassVar = [models.Index(name="invitation_end", fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.made_by_id} {self.id}"


class Registration(Record):
    """A claim on a username and a mailbox, with no account yet: until its mailbox is confirmed,
    and where moderators decide, until they have."""

    username = models.CharField(max_length=30)
    mailbox = models.CharField(max_length=MAX_EMAIL_LENGTH)
    # As a user's is: the hash.
    password = models.CharField(max_length=128)
    title = models.CharField(max_length=LONGEST_TITLE)
    language = models.CharField(max_length=2, choices=User.Language)
    time_zone = models.CharField(max_length=LONGEST_ZONE, default="UTC")
    # Whether moderators decide, once the mailbox is confirmed.
    needs_approval = models.BooleanField()
    # Of which it holds a use. No foreign key: the invitation may be over, and deleted, before it.
    invitation_id = models.UUIDField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("username"), name="registration_username_unique")
        ]
        indexes: ClassVar = [
            models.Index(name="registration_end", fields=["expires_at"]),
            models.Index(name="registration_mailbox", fields=["mailbox"]),
            models.Index(
                name="registration_invited",
                fields=["invitation_id"],
                condition=Q(invitation_id__isnull=False),
            ),
            models.Index(
                name="registration_waiting",
                fields=["id"],
                condition=Q(needs_approval=True, confirmed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.username} {self.id}"
