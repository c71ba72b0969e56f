"""Who may act at all, and who may do what to an account."""

from django.conf import settings

from innotter.accounts.actors import Actor
from innotter.accounts.models import User
from innotter.common.errors import Conflict, Forbidden


class UserBlocked(Forbidden):
    code = "user_blocked"
    detail = "This account is blocked."


class UserLeaving(Forbidden):
    code = "user_leaving"
    detail = "This account is about to be deleted. Restore it first."


class EmailUnconfirmed(Forbidden):
    code = "email_unconfirmed"
    detail = "Confirm your e-mail address first."


def require_unblocked(actor: Actor) -> None:
    """Raises UserBlocked."""
    if actor.is_blocked:
        raise UserBlocked


def require_active(actor: Actor) -> None:
    """Raises UserBlocked, UserLeaving."""
    require_unblocked(actor)
    if actor.is_leaving:
        raise UserLeaving


class Oneself(Conflict):
    code = "oneself"
    detail = "You cannot do this to yourself."


def require_admin(actor: Actor) -> None:
    """Raises Forbidden, SecondFactorRequired."""
    if not actor.is_admin:
        raise Forbidden
    require_second_factor(actor)


def require_not_oneself(actor: Actor, user: User) -> None:
    """Raises Oneself."""
    if user.id == actor.id:
        raise Oneself


def require_confirmed(actor: Actor) -> None:
    """A mailbox. Raises EmailUnconfirmed."""
    if isinstance(actor, User) and actor.email is None:
        raise EmailUnconfirmed


def require_may_write(actor: Actor) -> None:
    """Anything but what is about the account itself. Raises EmailUnconfirmed where the operator
    wants a confirmed mailbox for that."""
    if not settings.UNCONFIRMED_MAY_WRITE:
        require_confirmed(actor)


class SecondFactorRequired(Forbidden):
    code = "second_factor_required"
    detail = "Set up a second factor first: everybody who moderates here needs one."


def require_second_factor(actor: Actor) -> None:
    """Of who does something for others, where the operator wants it: SECOND_FACTOR_REQUIRED. Raises
    SecondFactorRequired."""
    if lacks_second_factor(actor):
        raise SecondFactorRequired


def lacks_second_factor(actor: Actor) -> bool:
    """Whether an actor may not act as a moderator or an admin before they have one."""
    if not isinstance(actor, User) or actor.has_second_factor:
        return False
    match settings.SECOND_FACTOR_REQUIRED:
        case "moderators":
            return actor.is_moderator
        case "admins":
            return actor.is_admin
    return False
