"""Who may do what to others' pages; for accounts see accounts/policies.py."""

from datetime import datetime

from innotter.accounts.actors import Actor
from innotter.accounts.policies import require_second_factor
from innotter.common.errors import Forbidden
from innotter.pages.models import Page


class BlockForGood(Forbidden):
    code = "block_for_good"
    detail = "Only an admin may set, change or lift a permanent block."


def require_moderator(actor: Actor) -> None:
    """Raises Forbidden, SecondFactorRequired."""
    if not actor.is_moderator:
        raise Forbidden
    require_second_factor(actor)


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


def _require_admin_for_good(actor: Actor) -> None:
    if not actor.is_admin:
        raise BlockForGood
