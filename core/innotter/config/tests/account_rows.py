"""Rows about accounts that no short way through the services makes, for tests of all lists."""

from datetime import timedelta

from django.utils import timezone

from innotter.accounts.models import Invitation, Passkey, Registration, User

# Where a list is moderators' alone.
OF_MODERATORS = {"GET /invites", "GET /registrations"}


def add_account_rows(user: User, name: str) -> None:
    """A passkey and an invitation of the user's, and a registration that waits for moderators."""
    now = timezone.now()
    end = now + timedelta(days=1)
    Passkey.objects.create(user=user, name=name, credential_id=name.encode(), public_key=b"key")
    Invitation.objects.create(code=name, made_by=user, uses=1, expires_at=end)
    Registration.objects.create(
        username=name,
        mailbox=f"{name}@example.com",
        title=name,
        language="en",
        needs_approval=True,
        confirmed_at=now,
        expires_at=end,
    )
