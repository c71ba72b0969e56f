"""Rows of the second factor: what somebody has besides a password, and logins that wait for it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from innotter.accounts.models.users import User
from innotter.common.models import Record

LONGEST_PASSKEY_NAME = 60


class Totp(Record):
    """The authenticator app of a user: one at most. It counts once it has given a first code."""

    user = models.OneToOneField(User, on_delete=models.CASCADE)
    # By accounts/encryption.py.
    secret = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True)
    # The time step (RFC 6238) of the last code that was taken: none up to it is taken again.
    last_step = models.BigIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                name="totp_unconfirmed",
                fields=["created_at"],
                condition=Q(confirmed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"


class RecoveryCode(Record):
    """One of ten, good once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False)
    # SHA-256 of the code, in hexadecimal: it has 120 random bits.
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.id}"


class Passkey(Record):
    """A discoverable WebAuthn credential that verifies its user."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    name = models.CharField(max_length=LONGEST_PASSKEY_NAME)
    credential_id = models.BinaryField(max_length=1023)
    # A COSE key (RFC 9052).
    public_key = models.BinaryField()
    # What the authenticator counts, if it does; a lower one is a copy's.
    sign_count = models.BigIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["credential_id"], name="passkey_credential_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.name}"


class Challenge(Record):
    """What a client has been told to answer, once; its row goes when it does."""

    class Purpose(models.TextChoices):
        # The password was right: the second factor is missing.
        SECOND_FACTOR = "second_factor"
        # A passkey is to sign it: of anybody, or for `user`, who adds it.
        USE_PASSKEY = "use_passkey"
        ADD_PASSKEY = "add_passkey"

    # SHA-256 of the token, in hexadecimal.
    digest = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=20, choices=Purpose)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(name="challenge_expiry", fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"
