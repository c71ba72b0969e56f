import unicodedata
from collections.abc import Iterable

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.database import conflicts
from innotter.common.errors import Conflict, Invalid
from innotter.events.services import record
from innotter.pages.models import Follow, Page, Tag, new_address
from innotter_contracts.events import (
    FollowRequested,
    FollowRequestWithdrawn,
    PageAndUser,
    PageCreated,
    PageFollowed,
    PageUnfollowed,
)

MAX_TAGS = 10
MAX_TAG_LENGTH = 30


class AddressTaken(Conflict):
    code = "uuid_taken"
    detail = "Another page has this uuid."


class OwnPage(Conflict):
    code = "own_page"
    detail = "This page is your own: you see its posts without following it."


@transaction.atomic
def create_page(
    *,
    owner: User,
    name: str,
    uuid: str | None = None,
    description: str = "",
    tags: Iterable[str] = (),
    is_private: bool = False,
) -> Page:
    """A page without followers or posts. Raises AddressTaken, and Invalid for tags."""
    page = Page(
        owner=owner,
        name=name,
        uuid=uuid or new_address(),
        description=description,
        is_private=is_private,
    )
    with conflicts({"page_uuid_unique": AddressTaken}):
        page.save(force_insert=True)
    page.tags.set(_tags_named(tags))
    payload = PageCreated.Payload(
        page_id=page.id, uuid=page.uuid, name=page.name, owner_id=owner.id
    )
    record(PageCreated(actor=owner.id, occurred_at=page.created_at, payload=payload))
    return page


@transaction.atomic
def follow(*, user: User, page: Page) -> Follow:
    """Follows a public page, or asks to follow a private one; once, however often it is called.

    Raises OwnPage.
    """
    page = _locked(page)
    if page.owner_id == user.id:
        raise OwnPage
    now = timezone.now()
    follow, created = Follow.objects.get_or_create(
        page=page, user=user, defaults={"accepted_at": None if page.is_private else now}
    )
    if created and page.is_private:
        record(FollowRequested(actor=user.id, occurred_at=now, payload=_both(page, user)))
    elif created:
        _count_followers(page, +1)
        record(PageFollowed(actor=user.id, occurred_at=now, payload=_both(page, user)))
    return follow


@transaction.atomic
def unfollow(*, user: User, page: Page) -> None:
    """Stops following, or withdraws the request; nothing when there is neither."""
    page = _locked(page)
    follow = Follow.objects.filter(page=page, user=user).first()
    if follow is None:
        return
    follow.delete()
    if follow.accepted_at is None:
        record(FollowRequestWithdrawn(actor=user.id, payload=_both(page, user)))
    else:
        _count_followers(page, -1)
        record(PageUnfollowed(actor=user.id, payload=_both(page, user)))


def _locked(page: Page) -> Page:
    """The page as it is now. Whoever changes its followers waits here for the others."""
    return Page.objects.select_for_update(no_key=True).get(pk=page.pk)


def _count_followers(page: Page, change: int) -> None:
    Page.objects.filter(pk=page.pk).update(followers_count=F("followers_count") + change)


def _both(page: Page, user: User) -> PageAndUser:
    return PageAndUser(page_id=page.id, user_id=user.id)


def _tags_named(names: Iterable[str]) -> list[Tag]:
    """The tags of these names, made where they are new."""
    normal = sorted(
        {" ".join(unicodedata.normalize("NFKC", name).lower().split()) for name in names}
    )
    if len(normal) > MAX_TAGS:
        raise Invalid("tags", f"At most {MAX_TAGS} tags are allowed.")
    if not all(0 < len(name) <= MAX_TAG_LENGTH for name in normal):
        raise Invalid("tags", f"A tag has 1 to {MAX_TAG_LENGTH} characters.")
    Tag.objects.bulk_create((Tag(name=name) for name in normal), ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=normal))
