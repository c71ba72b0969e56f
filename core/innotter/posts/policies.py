"""Who may do what to a post, by the page that it is on, which services have locked."""

from innotter.accounts.actors import Actor
from innotter.accounts.policies import require_second_factor
from innotter.common.errors import Forbidden
from innotter.pages.models import Page
from innotter.pages.policies import is_owner, require_owner, require_readable


class PageBlocked(Forbidden):
    code = "page_blocked"
    detail = "This page is blocked."


def require_writable(actor: Actor, page: Page) -> None:
    """Raises NotFound, Forbidden, PageBlocked."""
    require_owner(actor, page)
    if page.is_blocked:
        raise PageBlocked


def require_editable(actor: Actor, page: Page) -> None:
    """Raises NotFound, PagePrivate, Forbidden, PageBlocked."""
    require_readable(actor, page)
    require_writable(actor, page)


def require_deletable(actor: Actor, page: Page) -> None:
    """Raises NotFound, PagePrivate, Forbidden, SecondFactorRequired."""
    require_readable(actor, page)
    if is_owner(actor, page):
        return
    if not actor.is_moderator:
        raise Forbidden
    require_second_factor(actor)


def require_likeable(actor: Actor, page: Page) -> None:
    """Raises NotFound, PagePrivate."""
    require_readable(actor, page)
