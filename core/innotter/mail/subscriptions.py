"""Whether a reader gets mails about a page that they follow, stored in the row of the follow; or
about any page, which is one of their settings."""

from django.db import transaction
from django.utils import timezone

from innotter.accounts.models import User
from innotter.pages.models import Follow, Page


@transaction.atomic
def stop_mails(*, reader: User, page: Page) -> None:
    """No more mails about this page to this reader, until they say so or follow it anew."""
    now = timezone.now()
    follows = Follow.objects.filter(user=reader, page=page, muted_at=None)
    follows.update(muted_at=now, updated_at=now)


@transaction.atomic
def stop_all_mails(*, reader: User) -> None:
    """No more mails about any page to this reader, until they choose others in their settings."""
    off = User.EmailNotifications.OFF
    readers = User.objects.filter(pk=reader.pk).exclude(email_notifications=off)
    readers.update(email_notifications=off, updated_at=timezone.now())


@transaction.atomic
def resume_mails(*, reader: User, page: Page) -> None:
    follows = Follow.objects.filter(user=reader, page=page, muted_at__isnull=False)
    follows.update(muted_at=None, updated_at=timezone.now())
