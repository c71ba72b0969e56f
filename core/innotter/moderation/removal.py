"""What goes of the log with an account: the words, and the name of the actor. What was done to
which kind of thing, and when, stays."""

from django.db import transaction

from innotter.accounts.models import User
from innotter.moderation.models import ModerationAction


@transaction.atomic
def forget_in_log(*, user: User) -> int:
    """How many entries name them no longer."""
    acted = ModerationAction.objects.filter(actor=user).update(actor=None, actor_is_gone=True)
    concerned = ModerationAction.objects.filter(subject=user)
    return acted + concerned.update(subject=None, target="", reason="")
