"""Which page has which uuid, and for a while which had it before."""

from django.utils import timezone

from innotter.accounts.models import User
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
from innotter.pages.models import FormerUuid, Page


class UuidTaken(Conflict):
    code = "uuid_taken"
    detail = "This uuid is taken."


def claim_uuid(uuid: str, *, owner: User) -> None:
    """For a page of this owner: nobody else takes this uuid until the transaction ends. One that
    a page of theirs had is former no longer. Every service that sets a uuid asks here first.

    Raises ReservedName, UuidTaken.
    """
    name = uuid.lower()
    lock_names("uuid", name)
    # In this order: a page gives its uuid up and reserves it at one moment.
    if Page.objects.filter(uuid__lower=name).exists():
        raise UuidTaken
    former = FormerUuid.objects.select_related("page").filter(uuid=name).first()
    mine = former is not None and former.page.owner_id == owner.pk
    if former is not None and not mine and former.reserved_until > timezone.now():
        raise UuidTaken
    if not mine and is_reserved(uuid):
        raise ReservedName("uuid")
    if former is not None:
        former.delete()


def give_up_uuid(page: Page, uuid: str) -> None:
    """It stays reserved for the owner of the page, which is locked and has another one now.
    Raises TooManyNames."""
    now = timezone.now()
    if FormerUuid.objects.filter(page=page, reserved_until__gt=now).count() >= MOST_FORMER:
        raise TooManyNames
    FormerUuid.objects.update_or_create(
        uuid=uuid.lower(), defaults={"page": page, "reserved_until": now + RESERVED_FOR}
    )


def prune_uuids() -> int:
    """Deletes reservations that are over; how many."""
    over = FormerUuid.objects.filter(reserved_until__lt=timezone.now())
    return prune(over, by="reserved_until")
