"""Leaving: seven days in which nothing of the user is shown and all of it can come back. What then
takes everything away is the app `deletion`."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import action, leaving_action, locked_by_admin
from innotter.accounts.actors import Actor
from innotter.accounts.models import AccountMail, User
from innotter.accounts.passwords import WrongPassword, is_password
from innotter.accounts.policies import require_not_oneself, require_unblocked
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.errors import Conflict
from innotter.events.services import record
from innotter_contracts.events import UserDeletionScheduled, UserRestored, UserState

LEAVING_FOR = timedelta(days=7)


class LastAdmin(Conflict):
    code = "last_admin"
    detail = "You are the last admin. Make somebody else an admin first."


class TooLate(Conflict):
    code = "too_late"
    detail = "This account is being deleted and cannot be restored."


# Sent by delete_user() in its transaction, with `user`, `actor` and `reason`.
user_deletion = Signal()


@leaving_action
def leave(*, actor: User, client: Client, current_password: str, session_id: UUID | None) -> User:
    """Has one's account deleted after LEAVING_FOR, and ends every session but that of
    `session_id`. Repeating it changes nothing. The user, with `deletes_at`.

    Raises Throttled, WrongPassword, LastAdmin.
    """
    if not is_password(current_password, user=actor, login="", client=client):
        raise WrongPassword("current_password")
    with transaction.atomic():
        now = _locked_with_admins(actor)
        # While the password was being checked another one may have taken its place.
        if now.password != actor.password:
            raise WrongPassword("current_password")
        require_unblocked(now)
        if not now.is_leaving:
            moment = timezone.now() + LEAVING_FOR
            _schedule_deletion(now, moment, actor=actor)
            end_all_sessions(user=now, but=session_id)
            owe_mail(kind=AccountMail.Kind.LEAVING, user=now, day=moment.date().isoformat())
    return now


@leaving_action
@transaction.atomic
def restore(*, actor: User) -> User:
    """Stays after all: everything is shown again as it was. Nothing where the user is not leaving.

    Raises TooLate.
    """
    now = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    if now.is_gone:
        raise TooLate
    if now.is_leaving:
        _set_deletes_at(now, None)
        record(UserRestored(actor=actor.id, payload=_state(now)))
    return now


@action
@transaction.atomic
def delete_user(*, actor: Actor, user: User | str, reason: str = "") -> None:
    """Has an account deleted at once, with no way back. Repeating it changes nothing.

    Raises Forbidden, NotFound, Oneself.
    """
    user = locked_by_admin(user, actor)
    require_not_oneself(actor, user)
    if user.is_gone:
        return
    _schedule_deletion(user, timezone.now(), actor=actor)
    end_all_sessions(user=user, but=None)
    user_deletion.send(User, user=user, actor=actor, reason=reason)


def due_deletions() -> list[User]:
    """Whose week is over, the longest first."""
    due = User.objects.filter(deletes_at__lte=timezone.now())
    return list(due.order_by("deletes_at"))


@transaction.atomic
def schedule_again(user_id: UUID) -> bool:
    """Of somebody whom an old backup has brought back; whether it had."""
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None or user.is_gone:
        return False
    _set_deletes_at(user, timezone.now())
    record(UserDeletionScheduled(actor=None, payload=_state(user)))
    end_all_sessions(user=user, but=None)
    return True


def _schedule_deletion(user: User, moment: datetime, *, actor: Actor) -> None:
    """Of a user whose row is locked."""
    _set_deletes_at(user, moment)
    record(UserDeletionScheduled(actor=actor.id, payload=_state(user)))


def _set_deletes_at(user: User, moment: datetime | None) -> None:
    user.deletes_at = moment
    user.revise()
    user.save(update_fields=["deletes_at", "revision", "updated_at"])


def _locked_with_admins(user: User) -> User:
    """The user as they are now; of admins who leave at once, one comes last. Raises LastAdmin."""
    admins = User.objects.filter(role=User.Role.ADMIN).values("pk")
    which = User.objects.filter(pk=user.pk)
    if user.is_admin:
        which |= User.objects.filter(pk__in=admins)
    locked = list(which.select_for_update(no_key=True).order_by("pk"))
    [now] = [each for each in locked if each.pk == user.pk]
    others = [each for each in locked if each.is_admin and not each.is_hidden and each != now]
    if now.is_admin and not now.is_leaving and not others:
        raise LastAdmin
    return now


def _state(user: User) -> UserState:
    return UserState(revision=user.revision, user_id=user.id)
