"""Whom moderators and admins let in: invitations, and decisions about registrations."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import action
from innotter.accounts.mailboxes import EmailTaken
from innotter.accounts.models import AccountMail, Invitation, Registration, User
from innotter.accounts.names import UsernameTaken
from innotter.accounts.registrations import admit, locked_claim
from innotter.common.database import conflicts
from innotter.common.errors import Conflict, Invalid, NotFound
from innotter.moderation.models import ModerationAction
from innotter.moderation.policies import require_moderator
from innotter.moderation.selectors import invitation_at
from innotter.moderation.services import log_action

Action, Kind = ModerationAction.Action, AccountMail.Kind

LONGEST_LIFE = timedelta(days=365)
# Of one moderator, that have not expired.
MOST_INVITATIONS = 100


class TooManyInvitations(Conflict):
    code = "too_many_invitations"
    detail = "You have as many invitations as one person may have. Withdraw one of them first."


@action
@transaction.atomic
def create_invitation(*, actor: User, uses: int, expires_at: datetime) -> Invitation:
    """A link for so many newcomers. Raises Forbidden, Invalid, TooManyInvitations."""
    require_moderator(actor)
    if not 0 < uses <= Invitation.MOST_USES:
        raise Invalid("uses", f"Between 1 and {Invitation.MOST_USES} uses are allowed.")
    now = timezone.now()
    if not now < expires_at <= now + LONGEST_LIFE:
        raise Invalid("expires_at", "Must be in the future, and within a year.")
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    if Invitation.objects.filter(made_by=actor, expires_at__gt=now).count() >= MOST_INVITATIONS:
        raise TooManyInvitations
    return Invitation.objects.create(
        code=secrets.token_urlsafe(12), made_by=actor, uses=uses, expires_at=expires_at
    )


@action
@transaction.atomic
def withdraw_invitation(*, actor: User, code: str) -> None:
    """Nobody comes by it any more. Raises Forbidden, NotFound."""
    require_moderator(actor)
    invitation_at(code).delete()


@action
def approve_registration(*, actor: User, registration_id: UUID, reason: str = "") -> User:
    """The account is made, and its mailbox told. Raises Forbidden, NotFound, UsernameTaken,
    EmailTaken."""
    require_moderator(actor)
    taken: dict[str | None, type[Conflict]] = {
        "user_username_unique": UsernameTaken,
        "user_email_unique": EmailTaken,
    }
    with conflicts(taken):
        user = admit(_waiting(registration_id))
        owe_mail(kind=Kind.REGISTRATION_APPROVED, user=user)
        log_action(Action.APPROVE, user, actor=actor, reason=reason)
    return user


@action
@transaction.atomic
def reject_registration(*, actor: User, registration_id: UUID, reason: str = "") -> None:
    """The claim ends, and its mailbox is told, with the reason. Raises Forbidden, NotFound."""
    require_moderator(actor)
    registration = _waiting(registration_id)
    log_action(Action.REJECT, registration, actor=actor, reason=reason)
    owe_mail(
        kind=Kind.REGISTRATION_REJECTED,
        user=None,
        address=registration.mailbox,
        language=registration.language,
        name=registration.username,
        reason=reason,
    )
    registration.delete()


def _waiting(registration_id: UUID) -> Registration:
    """Locked. Of several who decide at once one is heard. Raises NotFound."""
    found = Registration.objects.filter(pk=registration_id).first()
    registration = locked_claim(found) if found else None
    if registration is None or not (registration.needs_approval and registration.confirmed_at):
        raise NotFound
    return registration
