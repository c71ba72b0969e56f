"""Who has which username: a user, and for a while its former owner."""

from django.utils import timezone

from innotter.accounts.models import FormerUsername, Registration, User
from innotter.common.database import lock_names
from innotter.common.errors import Conflict
from innotter.common.pruning import prune
from innotter.common.reserved import (
    MOST_FORMER,
    RESERVED_FOR,
    ReservedName,
    TooManyNames,
    is_reserved,
)


class UsernameTaken(Conflict):
    code = "username_taken"
    detail = "This username is taken."


def claim_username(username: str, *, user: User | None, by_operator: bool = False) -> None:
    """For `user`, or for somebody who has no account yet: nobody else takes this name until the
    transaction ends. Every service that makes or changes a username asks here first. Reserved
    names are the operator's.

    Raises ReservedName, UsernameTaken.
    """
    name = username.lower()
    lock_names("username", name)
    # In this order: who gives a name up stops having it and reserves it at one moment.
    others = User.objects.exclude(pk__in=[user.pk] if user else [])
    if others.filter(username__lower=name).exists():
        raise UsernameTaken
    claims = Registration.objects.filter(username__lower=name, expires_at__gt=timezone.now())
    if claims.exists():
        raise UsernameTaken
    former = FormerUsername.objects.filter(username=name, reserved_until__gt=timezone.now()).first()
    if former is not None and (user is None or former.user_id != user.pk):
        raise UsernameTaken
    if former is None and is_reserved(username) and not by_operator:
        raise ReservedName("username")


def give_up_username(user: User, *, for_name: str) -> None:
    """The name that a user has stays theirs, for another that claim_username() has let them have.
    The user's row is locked. Raises TooManyNames."""
    now = timezone.now()
    FormerUsername.objects.filter(username=for_name.lower()).delete()
    held = FormerUsername.objects.filter(user=user, reserved_until__gt=now)
    if held.count() >= MOST_FORMER:
        raise TooManyNames
    reserve_username(user.username, user=user)


def reserve_username(username: str, *, user: User | None) -> None:
    """For this user, or where nobody is left, for nobody."""
    FormerUsername.objects.update_or_create(
        username=username.lower(),
        defaults={"user": user, "reserved_until": timezone.now() + RESERVED_FOR},
    )


def prune_names() -> int:
    """Deletes reservations that are over; how many."""
    over = FormerUsername.objects.filter(reserved_until__lt=timezone.now())
    return prune(over, by="reserved_until")
