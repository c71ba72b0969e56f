"""Who acts: a user, or the system where no user does."""

from enum import Enum

from innotter.accounts.models import User


class System(Enum):
    """What acts for nobody, with the rights of an admin. Events and the moderation log name no
    actor then; no limit counts."""

    # The operator of the server: manage.py promote.
    COMMAND = "command"

    @property
    def id(self) -> None:
        return None

    @property
    def is_blocked(self) -> bool:
        return False

    @property
    def is_leaving(self) -> bool:
        return False

    @property
    def is_moderator(self) -> bool:
        return True

    @property
    def is_admin(self) -> bool:
        return True


type Actor = User | System
