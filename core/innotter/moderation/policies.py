"""Who may do what to others."""

from datetime import datetime

from innotter.accounts.actors import Actor
from innotter.accounts.models import User
from innotter.common.errors import Conflict, Forbidden
from innotter.pages.models import Page


class BlockForGood(Forbidden):
    code = "block_for_good"
    detail = "Only an admin may set, change or lift a permanent block."


class Oneself(Conflict):
    code = "oneself"
    detail = "You cannot do this to yourself."


def require_moderator(actor: Actor) -> None:
    """Raises Forbidden."""
    if not actor.is_moderator:
        raise Forbidden


def require_admin(actor: Actor) -> None:
    """Raises Forbidden."""
    if not actor.is_admin:
        raise Forbidden


def require_may_block(actor: Actor, page: Page, until: datetime | None) -> None:
    """Raises Forbidden, BlockForGood."""
    require_moderator(actor)
    if until is None or page.blocked_for_good:
        _require_admin_for_good(actor)


def require_may_unblock(actor: Actor, page: Page) -> None:
    """Raises Forbidden, BlockForGood."""
    require_moderator(actor)
    if page.blocked_for_good:
        _require_admin_for_good(actor)


def require_not_oneself(actor: Actor, user: User) -> None:
    """Raises Oneself."""
    if user.id == actor.id:
        raise Oneself


def _require_admin_for_good(actor: Actor) -> None:
    if not actor.is_admin:
        raise BlockForGood
