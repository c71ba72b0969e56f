from django.db.models import QuerySet
from django.utils import timezone

from innotter.accounts.models import Invitation, Registration
from innotter.accounts.selectors import with_profile_of
from innotter.common.errors import NotFound
from innotter.common.pagination import OLDEST_FIRST, Slice, Window


def invitations(window: Window) -> Slice[Invitation]:
    """Those that have not expired, with who made them, newest first."""
    return window.slice(with_profile_of(_usable(), "made_by"))


def invitation_at(code: str) -> Invitation:
    """Raises NotFound."""
    invitation = with_profile_of(_usable(), "made_by").filter(code=code).first()
    if invitation is None:
        raise NotFound
    return invitation


def waiting_registrations(window: Window) -> Slice[Registration]:
    """Those whose mailbox is confirmed and about which moderators have to decide, oldest first."""
    waiting = Registration.objects.filter(
        needs_approval=True, confirmed_at__isnull=False, expires_at__gt=timezone.now()
    )
    return window.slice(waiting, OLDEST_FIRST)


def _usable() -> QuerySet[Invitation]:
    return Invitation.objects.filter(expires_at__gt=timezone.now())
