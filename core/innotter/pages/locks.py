"""Rows of pages as they are now, which nobody else changes until the transaction ends."""

from uuid import UUID

from django.db.models import QuerySet

from innotter.accounts.selectors import Viewer
from innotter.common.compiled import compiled
from innotter.common.errors import NotFound
from innotter.pages.models import Page
from innotter.pages.selectors import with_profile


def locked(page: Page | str) -> Page:
    """The page of a row or a uuid as it is now, with its owner, locked: each change of its
    profile, tags, followers or posts waits here for the others. Raises NotFound."""
    found = _to_lock_by(page.pk) if isinstance(page, Page) else _to_lock_at(page.lower())
    if not found:
        raise NotFound
    return found[0]


def locked_profile(page: Page | str, viewer: Viewer) -> Page:
    """The same, with all that a profile shows. Raises NotFound."""
    found = lock(with_profile(_which(page), viewer))
    # As they are now: what a statement looks up beside the row that it waited for is older.
    found.tag_names = list(found.tags.order_by("name").values_list("name", flat=True))
    return found


def lock(pages: QuerySet[Page]) -> Page:
    """The one page among these, as locked() gives it. Raises NotFound."""
    return _one(_for_update(pages))


def unlocked(page: Page | str) -> Page:
    """To look at before the lock is worth waiting for. Raises NotFound."""
    return _one(_which(page).select_related("owner"))


@compiled
def _to_lock_by(id: UUID) -> QuerySet[Page]:
    return _for_update(Page.objects.filter(pk=id))


@compiled
def _to_lock_at(uuid: str) -> QuerySet[Page]:
    return _for_update(Page.objects.filter(uuid__lower=uuid))


def _for_update(pages: QuerySet[Page]) -> QuerySet[Page]:
    return pages.select_for_update(no_key=True, of=("self",)).select_related("owner")


def _which(page: Page | str) -> QuerySet[Page]:
    if isinstance(page, Page):
        return Page.objects.filter(pk=page.pk)
    return Page.objects.filter(uuid__lower=page.lower())


def _one(pages: QuerySet[Page]) -> Page:
    found = pages.first()
    if found is None:
        raise NotFound
    return found
