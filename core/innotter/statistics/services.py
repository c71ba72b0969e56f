"""Tells statistics anew all that they keep, in place of whatever was told before. What is told has
a higher revision than anything that was, so that it also wins after a backup of either side has
been restored."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from innotter.accounts.models import User
from innotter.common.models import milliseconds_now
from innotter.events.services import begin_epoch, patience, record
from innotter.pages.locks import lock
from innotter.pages.models import Page
from innotter.statistics.selectors import days_of
from innotter.statistics.stored import Stored
from innotter_contracts.events import (
    PageDeleted,
    PageRecounted,
    UserDeleted,
    UserRestated,
    UserState,
)


@transaction.atomic
def recount(*, page_id: UUID) -> None:
    """Publishes all that is known of a page and counted for it, which replaces all before.

    What is written meanwhile waits until the page is counted. Raises NotFound, and Busy when
    others are just writing and will not be kept from it.
    """
    # The row first, as everybody who tells of a page.
    with patience():
        page = lock(Page.objects.filter(pk=page_id))
    epoch = begin_epoch(page_id)
    page.revise()
    page.save(update_fields=["revision"])
    payload = PageRecounted.Payload(
        revision=page.revision,
        page_id=page.id,
        epoch=epoch,
        uuid=page.uuid,
        name=page.name,
        owner_id=page.owner_id,
        days=[
            PageRecounted.Day(date=day, counts=dict(counts))
            for day, counts in sorted(days_of(page_id).items())
        ],
    )
    record(PageRecounted(actor=None, payload=payload))


@transaction.atomic
def restate(*, user_ids: Collection[UUID]) -> int:
    """Publishes all that statistics keep of these users; of how many, because some may be gone."""
    found = User.objects.filter(pk__in=user_ids).order_by("pk")
    users = list(found.select_for_update(no_key=True))
    for user in users:
        user.revise()
    User.objects.bulk_update(users, ["revision"])
    record(*map(_restated, users))
    return len(users)


@transaction.atomic
def forget(unknown: Collection[Stored]) -> None:
    """Has statistics forget pages and users that aren't in this database."""
    revision = milliseconds_now()
    for kind, gone in unknown:
        if kind == "page":
            page = PageDeleted.Payload(revision=revision, page_id=gone)
            record(PageDeleted(actor=None, payload=page))
        else:
            user = UserState(revision=revision, user_id=gone)
            record(UserDeleted(actor=None, payload=user))


def _restated(user: User) -> UserRestated:
    payload = UserRestated.Payload(
        revision=user.revision,
        user_id=user.id,
        is_blocked=user.is_blocked,
        is_leaving=user.is_leaving,
    )
    return UserRestated(actor=None, payload=payload)
