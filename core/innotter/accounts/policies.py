from innotter.accounts.actors import Actor
from innotter.common.errors import Forbidden


class UserBlocked(Forbidden):
    code = "user_blocked"
    detail = "This account is blocked."


def require_active(actor: Actor) -> None:
    """Raises UserBlocked."""
    if actor.is_blocked:
        raise UserBlocked
