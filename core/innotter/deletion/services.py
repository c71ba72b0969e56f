"""Takes away everything of who has left: in parts, each one transaction with the events that it
owes. It may be killed anywhere, and run twice at once: what is gone is gone, and the rest is found
anew."""

import time
from collections.abc import Callable
from uuid import UUID

import structlog
from django.db import transaction

from innotter.accounts.leaving import due_deletions, schedule_again
from innotter.accounts.models import User
from innotter.accounts.names import reserve_username
from innotter.deletion import storage
from innotter.deletion.models import Deletion
from innotter.events.removal import forget_some_events, has_unpublished
from innotter.events.services import record
from innotter.exports.services import forget_exports
from innotter.mail.removal import forget_farewells, forget_some_deliveries, say_farewell
from innotter.moderation.removal import forget_in_log
from innotter.pages.removal import end_some_follows, remove_a_page
from innotter.posts.removal import remove_some_posts, take_back_some_likes
from innotter_contracts.events import UserDeleted, UserState

log = structlog.get_logger(__name__)

# Rows that go in one transaction.
AT_ONCE = 500
# Seconds that one run works; the next turn of the clock goes on.
LONGEST_RUN = 300

# Each takes a part away and returns how much that was, 0 when nothing is left. What others see
# goes first.
PARTS: tuple[Callable[[User], int], ...] = (
    lambda user: remove_some_posts(owner=user, at_once=AT_ONCE),
    lambda user: remove_a_page(owner=user),
    lambda user: take_back_some_likes(user=user, at_once=AT_ONCE),
    lambda user: end_some_follows(user=user, at_once=AT_ONCE),
    lambda user: forget_some_deliveries(reader=user, at_once=AT_ONCE),
    lambda user: forget_in_log(user=user),
)


def delete_due() -> int:
    """Goes on with every account whose week is over; how many are gone now.

    One that fails does not hold up the others. Raises the first error at the end.
    """
    until = time.monotonic() + LONGEST_RUN
    gone, failed = 0, list[Exception]()
    for user in due_deletions():
        try:
            gone += delete_account(user=user, until=until)
        except Exception as error:
            log.exception("deletion_failed", user_id=str(user.pk))
            failed.append(error)
    for deletion in Deletion.objects.order_by("created_at"):
        forget_events(user_id=deletion.user_id)
    forget_farewells()
    if failed:
        raise failed[0]
    return gone


def delete_account(*, user: User, until: float = float("inf")) -> bool:
    """Of a user whose week is over; whether it is gone, which it may not be when the clock of
    time.monotonic() shows `until`. Raises StorageUnavailable."""
    storage.remember(user.pk)
    forget_exports(user=user)
    for part in PARTS:
        while part(user):
            if time.monotonic() > until:
                return False
    return _end(user.pk)


@transaction.atomic
def _end(user_id: UUID) -> bool:
    """The row itself, and what hangs on it: sessions, factors, tokens, mails, keys."""
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return False
    reserve_username(user.username, user=None)
    say_farewell(user=user)
    user.revise()
    payload = UserState(revision=user.revision, user_id=user.pk)
    record(UserDeleted(actor=user.pk, payload=payload))
    Deletion.objects.get_or_create(user_id=user.pk)
    user.delete()
    log.info("account_deleted", user_id=str(user_id))
    return True


def forget_events(*, user_id: UUID) -> bool:
    """The names in the events that the outbox still keeps, once all are published; whether."""
    if has_unpublished(user_id):
        return False
    while forget_some_events(user_id, at_once=AT_ONCE):
        pass
    Deletion.objects.filter(user_id=user_id).delete()
    return True


def apply_again() -> int:
    """After a backup was restored: all in it who had been deleted are so again; how many. Raises
    StorageUnavailable."""
    return sum(schedule_again(user_id) for user_id in storage.remembered())
