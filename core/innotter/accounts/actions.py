from collections.abc import Callable
from functools import wraps

from innotter.accounts.actors import Actor
from innotter.accounts.models import User
from innotter.accounts.policies import (
    require_active,
    require_admin,
    require_may_write,
    require_unblocked,
)
from innotter.accounts.selectors import user_named
from innotter.common.errors import NotFound
from innotter.common.throttling import Use, consume


def action[**Arguments, Result](
    service: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """A service that changes something for its `actor`.

    Before anything else, and before its transaction begins: an actor who is blocked or leaving, or
    has not confirmed a mailbox where that is needed, is refused, and the limit of writes is
    counted, which no refusal takes back. Raises UserBlocked, UserLeaving, EmailUnconfirmed,
    Throttled.
    """
    return _counted(service, require_active, require_may_write)


def leaving_action[**Arguments, Result](
    service: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """The same for what somebody who is leaving may do too. Raises UserBlocked, Throttled."""
    return _counted(service, require_unblocked)


def account_action[**Arguments, Result](
    service: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """The same of what one changes of one's own account, which needs no confirmed mailbox."""
    return _counted(service, require_active)


def _counted[**Arguments, Result](
    service: Callable[Arguments, Result], *policies: Callable[[Actor], None]
) -> Callable[Arguments, Result]:
    @wraps(service)
    def counted(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        actor: Actor = kwargs["actor"]  # type: ignore[assignment] # by the name that all have
        for require in policies:
            require(actor)
        if isinstance(actor, User):
            consume(Use("writes", str(actor.pk)))
        return service(*args, **kwargs)

    return counted


def locked_by_admin(user: User | str, actor: Actor) -> User:
    """The user as they are now, while the actor is an admin and stays one until we are done.

    So one admin is always left: of two who act against each other at once, the second comes
    too late. Locked in the order of ids, so that neither waits for ever. Raises Forbidden,
    NotFound.
    """
    require_admin(actor)
    user = user_named(user) if isinstance(user, str) else user
    ids = [user.pk] if actor.id is None else [user.pk, actor.id]
    both = User.objects.select_for_update(no_key=True).filter(pk__in=ids)
    locked = {found.pk: found for found in both.order_by("pk")}
    if user.pk not in locked:
        raise NotFound
    if isinstance(actor, User):
        require_active(locked[actor.pk])
        require_admin(locked[actor.pk])
    return locked[user.pk]
