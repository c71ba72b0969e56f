"""Who may do what to a page, asked by services of the row that they have locked, with its owner."""

from innotter.accounts.actors import Actor
from innotter.common.errors import Conflict, Forbidden, NotFound
from innotter.pages.models import Page
from innotter.pages.selectors import PagePrivate, is_visible


class OwnPage(Conflict):
    code = "own_page"
    detail = "You own this page."


def is_owner(actor: Actor, page: Page) -> bool:
    return page.owner_id == actor.id


def require_findable(actor: Actor, page: Page) -> None:
    """Raises NotFound."""
    if page.is_blocked and not (actor.is_moderator or is_owner(actor, page)):
        raise NotFound


def require_readable(actor: Actor, page: Page) -> None:
    """Raises NotFound; PagePrivate where only what is on the page is hidden."""
    require_findable(actor, page)
    if page.is_private and not is_visible(page, actor):
        raise PagePrivate


def require_owner(actor: Actor, page: Page) -> None:
    """Raises NotFound, Forbidden."""
    require_findable(actor, page)
    if not is_owner(actor, page):
        raise Forbidden


def require_not_owner(actor: Actor, page: Page) -> None:
    """Raises OwnPage."""
    if is_owner(actor, page):
        raise OwnPage
