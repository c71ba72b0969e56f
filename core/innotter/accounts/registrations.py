"""How people come to an account: at once, by an invitation, by moderators, or not at all
(REGISTRATION); and whether before or after their mailbox is confirmed (EMAIL_CONFIRMATION)."""

import base64
import binascii
import hmac
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from innotter.accounts import mailboxes
from innotter.accounts.account_mail import owe_mail
from innotter.accounts.mail_tokens import InvalidLink, counted_link
from innotter.accounts.models import AccountMail, Invitation, Registration, User
from innotter.accounts.names import UsernameTaken, claim_username
from innotter.accounts.selectors import hidden
from innotter.accounts.services import Newcomer, checked_newcomer, make_account
from innotter.common.clients import Client
from innotter.common.database import conflicts, lock_names
from innotter.common.errors import Conflict, Forbidden, Invalid
from innotter.common.pruning import prune

Kind = AccountMail.Kind

# So long a claim is kept that nobody confirms; the link in its mail is good for as long.
CONFIRMED_WITHIN = timedelta(days=1)
# And so long one that moderators don't decide about.
DECIDED_WITHIN = timedelta(days=30)

SALT = "innotter.accounts.registration"


class RegistrationClosed(Forbidden):
    code = "registration_closed"
    detail = "Nobody can register here at the moment."


class InvitationNeeded(Forbidden):
    code = "invitation_needed"
    detail = "An invitation is needed to register here."


class InvalidInvitation(Invalid):
    code = "invalid_invitation"
    detail = "This invitation is used up or has expired."


def is_account_made_later() -> bool:
    """Whether sign_up() makes a claim alone, and says nothing of who has an account."""
    return settings.EMAIL_CONFIRMATION == "before_account" or settings.REGISTRATION == "approval"


def sign_up(
    *,
    client: Client,
    username: str,
    email: str,
    password: str,
    title: str = "",
    language: str = "",
    time_zone: str = "UTC",
    invite: str = "",
) -> User | None:
    """A new account; or a claim on one, and a mail to the mailbox. The claim is made, and takes as
    long, whether the mailbox is somebody's or not: that is told there alone.

    Raises RegistrationClosed, InvitationNeeded, InvalidInvitation, and what register() raises, but
    EmailTaken only where the account is made at once.
    """
    if settings.REGISTRATION == "closed":
        raise RegistrationClosed
    if settings.REGISTRATION == "invitation" and not invite:
        raise InvitationNeeded
    newcomer = checked_newcomer(
        client=client,
        username=username,
        email=email,
        password=password,
        title=title,
        language=language,
        time_zone=time_zone,
    )
    names: dict[str | None, type[Conflict]] = {
        "user_username_unique": UsernameTaken,
        "registration_username_unique": UsernameTaken,
        "user_email_unique": mailboxes.EmailTaken,
    }
    with conflicts(names):
        claim_username(username, user=None)
        invitation = _locked_invitation(invite) if settings.REGISTRATION == "invitation" else None
        if is_account_made_later():
            _claim(newcomer, invitation)
            return None
        _use(invitation.pk if invitation else None)
        return make_account(newcomer, is_confirmed=not mailboxes.needs_confirmation())


def confirm(*, token: str, client: Client) -> Registration | User | None:
    """What the link of a mail does that asks for confirmation: of a claim on an account, the new
    account, or the claim where moderators decide now. None: the mailbox of an account is confirmed.

    Raises Throttled, InvalidLink, UserBlocked, EmailTaken.
    """
    found = _registration(token)
    if found is None:
        mailboxes.confirm_email(token=token, client=client)
        return None
    with counted_link(client), conflicts({"user_username_unique": InvalidClaim}):
        now = locked_claim(found)
        if now is None or now.confirmed_at or not mailboxes.is_free(now.mailbox):
            raise InvalidLink("token")
        now.confirmed_at = timezone.now()
        if not now.needs_approval:
            return admit(now)
        now.expires_at = now.confirmed_at + DECIDED_WITHIN
        now.save(update_fields=["confirmed_at", "expires_at", "updated_at"])
        return now


class InvalidClaim(UsernameTaken):
    """An operator has made an account of that name meanwhile."""


def claim_of(token: str) -> Registration | None:
    """Which confirm() would confirm; None where it is no claim's, or that is over."""
    found = _registration(token)
    return found if found and found.confirmed_at is None else None


def locked_claim(registration: Registration) -> Registration | None:
    """As it is now; nobody else takes its names until the transaction ends. None where it is over
    or decided about."""
    lock_names("username", registration.username.lower())
    mailboxes.lock_mailbox(registration.mailbox)
    return (
        Registration.objects.select_for_update()
        .filter(pk=registration.pk, expires_at__gt=timezone.now())
        .first()
    )


def admit(registration: Registration) -> User:
    """The account, whose mailbox is confirmed. All other claims on the mailbox end. Of a claim that
    is locked."""
    registration.delete()
    _use(registration.invitation_id)
    user = User(
        username=registration.username,
        password=registration.password,
        title=registration.title,
        language=registration.language,
        time_zone=registration.time_zone,
    )
    user.save(force_insert=True)
    mailboxes.set_mailbox(user, registration.mailbox)
    Registration.objects.filter(mailbox=registration.mailbox).delete()
    return user


def registration_token(registration_id: UUID) -> str:
    """For the worker that writes the mail. It is good while the claim waits for it: so it needs no
    row of its own, and nothing in the database makes one."""
    return _signed(registration_id, settings.SECRET_KEY)


def prune_registrations() -> int:
    """Deletes claims and invitations that are over; how many."""
    now = timezone.now()
    return sum(
        prune(model._default_manager.filter(expires_at__lt=now), by="expires_at")
        for model in (Registration, Invitation)
    )


def _locked_invitation(code: str) -> Invitation:
    """One with a use that is left, of somebody who still moderates. Of many at once who want the
    last one, one gets it: what claims hold is asked when the others have committed.

    Raises InvalidInvitation.
    """
    found = (
        Invitation.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            ~hidden("made_by__"),
            code=code,
            expires_at__gt=timezone.now(),
            made_by__role__in=User.MODERATORS,
        )
        .first()
    )
    if found is None or found.used + _held(found) >= found.uses:
        raise InvalidInvitation("invite")
    return found


def _held(invitation: Invitation) -> int:
    """Uses, by claims that may still become accounts."""
    return Registration.objects.filter(
        invitation_id=invitation.pk, expires_at__gt=timezone.now()
    ).count()


def _use(invitation_id: UUID | None) -> None:
    """By an account. Nothing where there is no invitation, or none any more."""
    if invitation_id:
        Invitation.objects.filter(pk=invitation_id).update(used=F("used") + 1)


def _claim(newcomer: Newcomer, invitation: Invitation | None) -> None:
    user = User(username=newcomer.username)
    user.set_password(newcomer.password)
    # One that is over, and not deleted yet.
    Registration.objects.filter(
        username__lower=newcomer.username.lower(), expires_at__lte=timezone.now()
    ).delete()
    registration = Registration.objects.create(
        username=newcomer.username,
        mailbox=newcomer.mailbox,
        password=user.password,
        title=newcomer.title,
        language=newcomer.language,
        time_zone=newcomer.time_zone,
        needs_approval=settings.REGISTRATION == "approval",
        invitation_id=invitation.pk if invitation else None,
        # Where nobody has to confirm, moderators decide at once.
        confirmed_at=None if mailboxes.needs_confirmation() else timezone.now(),
        expires_at=timezone.now()
        + (CONFIRMED_WITHIN if mailboxes.needs_confirmation() else DECIDED_WITHIN),
    )
    if not newcomer.ask:
        return
    holder = User.objects.filter(email__lower=newcomer.mailbox).first()
    owe_mail(
        kind=Kind.REGISTRATION if mailboxes.is_free(newcomer.mailbox) else Kind.ALREADY_REGISTERED,
        user=holder,
        address=newcomer.mailbox,
        language=holder.language if holder else newcomer.language,
        registration=str(registration.id),
        name=newcomer.username,
    )


def _registration(token: str) -> Registration | None:
    try:
        registration_id = UUID(bytes=base64.urlsafe_b64decode(token + "==")[:16])
    except (ValueError, binascii.Error):
        return None
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(
        hmac.compare_digest(token.encode(), _signed(registration_id, key).encode()) for key in keys
    ):
        return None
    claims = Registration.objects.filter(pk=registration_id, expires_at__gt=timezone.now())
    return claims.first()


def _signed(registration_id: UUID, key: str) -> str:
    signature = salted_hmac(SALT, registration_id.bytes, secret=key, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(registration_id.bytes + signature).decode().rstrip("=")
