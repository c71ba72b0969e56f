from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.database import assign, conflicts
from innotter.common.errors import Conflict, Invalid, NotFound
from innotter.common.reserved import ReservedName, is_reserved
from innotter.common.text import bounded, visible_line
from innotter.events.services import record
from innotter.pages.models import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TAG,
    MAX_TAGS,
    Follow,
    Page,
    Tag,
    new_address,
    normal_tag,
)
from innotter.pages.selectors import waiting_for
from innotter_contracts.events import (
    FollowRequestAccepted,
    FollowRequested,
    FollowRequestRejected,
    FollowRequestWithdrawn,
    PageAndUser,
    PageChanged,
    PageCreated,
    PageFollowed,
    PageUnfollowed,
)


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
    """A page without followers or posts. Raises Invalid, ReservedName, AddressTaken."""
    if uuid is not None:
        _require_free(uuid)
    page = Page(
        owner=owner,
        name=visible_line("name", name, LONGEST_NAME),
        uuid=uuid or new_address(),
        description=bounded("description", description, LONGEST_DESCRIPTION),
        is_private=is_private,
    )
    with conflicts({"page_uuid_unique": AddressTaken}):
        page.save(force_insert=True)
    page.tags.set(_tags_named(tags))
    payload = PageCreated.Payload(
        revision=page.revision,
        page_id=page.id,
        uuid=page.uuid,
        name=page.name,
        owner_id=owner.id,
    )
    record(PageCreated(actor=owner.id, occurred_at=page.created_at, payload=payload))
    return page


@transaction.atomic
def edit_page(
    *,
    page: Page,
    name: str | None = None,
    uuid: str | None = None,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    is_private: bool | None = None,
) -> Page:
    """Changes what is given, as the owner. Who waits to follow a page that becomes public
    follows it. Raises Invalid, ReservedName, AddressTaken."""
    page = locked(page)
    if name is not None:
        name = visible_line("name", name, LONGEST_NAME)
    if description is not None:
        description = bounded("description", description, LONGEST_DESCRIPTION)
    wishes = {"name": name, "uuid": uuid, "description": description, "is_private": is_private}
    changed = assign(page, wishes)
    if "uuid" in changed:
        _require_free(page.uuid)
    is_told = bool(changed & {"uuid", "name"})
    if is_told:
        page.revise()
        changed.add("revision")
    with conflicts({"page_uuid_unique": AddressTaken}):
        page.save(update_fields=changed)
    if tags is not None:
        _set_tags(page, tags)
    if is_told:
        payload = PageChanged.Payload(
            revision=page.revision, page_id=page.id, uuid=page.uuid, name=page.name
        )
        record(PageChanged(actor=page.owner_id, payload=payload))
    if "is_private" in changed and not page.is_private:
        _accept(page, waiting_for(page))
    return page


@transaction.atomic
def set_image(*, page: Page, image: str | None) -> None:
    """Takes the picture of that name as the page's, or none."""
    page = locked(page)
    page.image_id = image
    page.save(update_fields=["image", "updated_at"])


@transaction.atomic
def add_tag(*, page: Page, tag: str) -> None:
    """Once, however often it is called. Raises Invalid."""
    page = locked(page)
    _set_tags(page, {*_tag_names(page), tag})


@transaction.atomic
def remove_tag(*, page: Page, tag: str) -> None:
    """Nothing where the page has no such tag."""
    page = locked(page)
    _set_tags(page, _tag_names(page) - {normal_tag(tag)})


@transaction.atomic
def follow(*, user: User, page: Page) -> Follow:
    """Follows a public page, or asks to follow a private one; once, however often it is called.

    Raises OwnPage.
    """
    page = locked(page)
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
    """Stops following, or withdraws the request; nothing when there is neither.

    Raises OwnPage.
    """
    page = locked(page)
    if page.owner_id == user.id:
        raise OwnPage
    follow = Follow.objects.filter(page=page, user=user).first()
    if follow is None:
        return
    follow.delete()
    if follow.accepted_at is None:
        record(FollowRequestWithdrawn(actor=user.id, payload=_both(page, user)))
    else:
        _count_followers(page, -1)
        record(PageUnfollowed(actor=user.id, payload=_both(page, user)))


@transaction.atomic
def accept_requests(*, page: Page, usernames: Collection[str] | None = None) -> int:
    """Of these users or, without names, of all who wait; how many there were."""
    page = locked(page)
    return _accept(page, waiting_for(page, usernames))


@transaction.atomic
def reject_requests(*, page: Page, usernames: Collection[str] | None = None) -> int:
    """Of these users or, without names, of all who wait; how many there were."""
    page = locked(page)
    requests = waiting_for(page, usernames)
    answered = _answered(FollowRequestRejected, page, requests)
    requests.delete()
    return answered


def locked(page: Page) -> Page:
    """The page as it is now. Whoever changes its profile, tags, followers or posts waits here
    for the others. Raises NotFound for one that is gone."""
    found = (
        Page.objects.select_for_update(no_key=True, of=("self",))
        .select_related("owner")
        .filter(pk=page.pk)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def _require_free(uuid: str) -> None:
    """Raises ReservedName."""
    if is_reserved(uuid):
        raise ReservedName("uuid")


def _accept(page: Page, requests: QuerySet[Follow]) -> int:
    answered = _answered(FollowRequestAccepted, page, requests)
    now = timezone.now()
    requests.update(accepted_at=now, updated_at=now)
    _count_followers(page, answered)
    return answered


def _answered(
    event: type[FollowRequestAccepted] | type[FollowRequestRejected],
    page: Page,
    requests: QuerySet[Follow],
) -> int:
    """Tells each of the requests its answer, as the owner; how many there are."""
    payloads = [
        PageAndUser(page_id=page.id, user_id=user_id)
        for user_id in requests.order_by("id").values_list("user_id", flat=True)
    ]
    record(*(event(actor=page.owner_id, payload=payload) for payload in payloads))
    return len(payloads)


def _count_followers(page: Page, change: int) -> None:
    Page.objects.filter(pk=page.pk).update(followers_count=F("followers_count") + change)


def _both(page: Page, user: User) -> PageAndUser:
    return PageAndUser(page_id=page.id, user_id=user.id)


def _set_tags(page: Page, names: Iterable[str]) -> None:
    tags = _tags_named(names)
    if {tag.name for tag in tags} != _tag_names(page):
        page.tags.set(tags)
        page.save(update_fields=["updated_at"])


def _tag_names(page: Page) -> set[str]:
    return set(page.tags.values_list("name", flat=True))


def _tags_named(names: Iterable[str]) -> list[Tag]:
    """The tags of these names, made where they are new. Raises Invalid."""
    normal = sorted({normal_tag(name) for name in names})
    if len(normal) > MAX_TAGS:
        raise Invalid("tags", f"At most {MAX_TAGS} tags are allowed.")
    for name in normal:
        visible_line("tags", name, LONGEST_TAG)
        # A client reads these as parts of a path, and could never ask for such a tag.
        if "/" in name or name in {".", ".."}:
            raise Invalid("tags", "A tag has no slash in it and is not a dot or two.")
    Tag.objects.bulk_create((Tag(name=name) for name in normal), ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=normal))
