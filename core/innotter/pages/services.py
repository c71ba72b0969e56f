from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.dispatch import Signal

from innotter.accounts.actions import action
from innotter.accounts.models import User
from innotter.common.database import assign, checked, conflicts, known_fields
from innotter.common.errors import Conflict, Invalid
from innotter.common.text import bounded, visible_line
from innotter.events.services import record
from innotter.media.services import store_picture
from innotter.pages.follows import accept
from innotter.pages.locks import locked, locked_profile, unlocked
from innotter.pages.models import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TAG,
    MAX_TAGS,
    Page,
    Tag,
    new_uuid,
    normal_tag,
)
from innotter.pages.names import UuidTaken, claim_uuid, give_up_uuid
from innotter.pages.policies import require_owner
from innotter.pages.selectors import waiting_for
from innotter_contracts.events import (
    PageChanged,
    PageCreated,
    PageDeleted,
)

if TYPE_CHECKING:
    from django.core.files.base import File


class TooManyPages(Conflict):
    code = "too_many_pages"
    detail = "You own as many pages as one person may have here."


class PageChanges(TypedDict, total=False):
    """What edit_page() changes."""

    name: str
    uuid: str
    description: str
    tags: Iterable[str]
    is_private: bool


# Sent by delete_page() in its transaction, with `page` and `actor`: what is on the page goes first.
page_deletion = Signal()


@action
@transaction.atomic
def create_page(
    *,
    actor: User,
    name: str,
    uuid: str | None = None,
    description: str = "",
    tags: Iterable[str] = (),
    is_private: bool = False,
) -> Page:
    """A page without followers or posts. Raises TooManyPages, Invalid, ReservedName, UuidTaken."""
    _require_quota(actor)
    if uuid is not None:
        claim_uuid(checked(Page, "uuid", uuid), owner=actor)
    page = Page(
        owner=actor,
        name=visible_line("name", name, LONGEST_NAME),
        uuid=uuid or new_uuid(),
        description=bounded("description", description, LONGEST_DESCRIPTION),
        is_private=is_private,
    )
    with conflicts({"page_uuid_unique": UuidTaken}):
        page.save(force_insert=True)
    _set_tags(page, _tags_named(tags))
    payload = PageCreated.Payload(
        revision=page.revision,
        page_id=page.id,
        uuid=page.uuid,
        name=page.name,
        owner_id=actor.id,
    )
    record(PageCreated(actor=actor.id, occurred_at=page.created_at, payload=payload))
    page.viewer_follow, page.viewer_is_owner = "none", True
    return page


@action
@transaction.atomic
def edit_page(*, actor: User, page: Page | str, **changes: Unpack[PageChanges]) -> Page:
    """Changes what is given. Who waits to follow a page that becomes public follows it.

    A former uuid stays reserved for the owner.

    Raises NotFound, Forbidden, Invalid, ReservedName, UuidTaken, TooManyNames.
    """
    known_fields(changes, PageChanges)
    page = locked_profile(page, actor)
    require_owner(actor, page)
    tags = changes.pop("tags", None)
    if "name" in changes:
        changes["name"] = visible_line("name", changes["name"], LONGEST_NAME)
    if "description" in changes:
        changes["description"] = bounded("description", changes["description"], LONGEST_DESCRIPTION)
    if "uuid" in changes:
        _rename(page, changes["uuid"])
    changed = assign(page, changes)
    is_told = bool(changed & {"uuid", "name"})
    if is_told:
        page.revise()
        changed.add("revision")
    with conflicts({"page_uuid_unique": UuidTaken}):
        page.save(update_fields=changed)
    if tags is not None:
        _change_tags(page, tags)
    if is_told:
        payload = PageChanged.Payload(
            revision=page.revision, page_id=page.id, uuid=page.uuid, name=page.name
        )
        record(PageChanged(actor=actor.id, payload=payload))
    if "is_private" in changed and not page.is_private:
        accept(page, waiting_for(page))
    return page


@action
def set_image(*, actor: User, page: Page | str, image: "File[Any] | None") -> Page:
    """Stores the picture and takes it as the page's; with None, the page has none any more.

    Raises NotFound, Forbidden, and what store_picture() raises.
    """
    if image is None:
        return _take_image(actor, page, None)
    # Asked here too, so that nothing is stored for others than the owner; not in a transaction,
    # which would wait for the storage.
    require_owner(actor, unlocked(page))
    return _take_image(actor, page, store_picture(image=image))


@action
@transaction.atomic
def add_tag(*, actor: User, page: Page | str, tag: str) -> Page:
    """Repeating it changes nothing. Raises NotFound, Forbidden, Invalid."""
    page = locked_profile(page, actor)
    require_owner(actor, page)
    _change_tags(page, {*page.tag_names, tag})
    return page


@action
@transaction.atomic
def remove_tag(*, actor: User, page: Page | str, tag: str) -> Page:
    """Nothing where the page has no such tag. Raises NotFound, Forbidden."""
    page = locked_profile(page, actor)
    require_owner(actor, page)
    _change_tags(page, {*page.tag_names} - {normal_tag(tag)})
    return page


@action
@transaction.atomic
def delete_page(*, actor: User, page: Page | str) -> None:
    """Deletes a page with all that is on it, in as many statements for a million posts as for
    one. Replies on other pages stay. Raises NotFound, Forbidden."""
    page = locked(page)
    require_owner(actor, page)
    remove_page(page=page, actor=actor)


def remove_page(*, page: Page, actor: User) -> None:
    """The page, which is locked, with all that is on it."""
    page_deletion.send(Page, page=page, actor=actor)
    page.revise()
    payload = PageDeleted.Payload(revision=page.revision, page_id=page.pk)
    record(PageDeleted(actor=actor.id, payload=payload))
    page.delete()


@transaction.atomic
def _take_image(actor: User, page: Page | str, image: str | None) -> Page:
    page = locked_profile(page, actor)
    require_owner(actor, page)
    page.image_id = image
    page.save(update_fields=["image", "updated_at"])
    return page


def _require_quota(owner: User) -> None:
    """Of several pages at once none slips by. Raises TooManyPages."""
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    most = settings.PAGES_PER_USER
    if most and Page.objects.filter(owner=owner)[:most].count() >= most:
        raise TooManyPages


def _rename(page: Page, uuid: str) -> None:
    """Raises Invalid, ReservedName, UuidTaken, TooManyNames."""
    if checked(Page, "uuid", uuid).lower() != page.uuid.lower():
        claim_uuid(uuid, owner=page.owner)
        give_up_uuid(page, page.uuid)


def _change_tags(page: Page, names: Iterable[str]) -> None:
    """Of a locked profile."""
    tags = _tags_named(names)
    if {tag.name for tag in tags} != set(page.tag_names):
        _set_tags(page, tags)
        page.save(update_fields=["updated_at"])


def _set_tags(page: Page, tags: Iterable[Tag]) -> None:
    page.tags.set(tags)
    page.tag_names = sorted(tag.name for tag in tags)


def _tags_named(names: Iterable[str]) -> list[Tag]:
    """The tags of these names, made where they are new. Raises Invalid."""
    normal = sorted({normal_tag(name) for name in names})
    if len(normal) > MAX_TAGS:
        raise Invalid("tags", f"At most {MAX_TAGS} tags are allowed.")
    for name in normal:
        visible_line("tags", name, LONGEST_TAG)
        # A client reads these as parts of a path, and could never ask for such a tag.
        if "/" in name or name in {".", ".."}:
            raise Invalid("tags", "A tag must not contain a slash, or be one or two dots.")
    # Locked, new or not: a tag that nobody has any more is not deleted now.
    Tag.objects.bulk_create(
        (Tag(name=name) for name in normal),
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["name"],
    )
    return list(Tag.objects.filter(name__in=normal))
