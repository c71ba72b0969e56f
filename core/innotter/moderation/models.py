from typing import ClassVar

from django.db import models

from innotter.accounts.models import User
from innotter.common.models import Record


class ModerationAction(Record):
    """What somebody did to somebody else. Written with the action, and never changed."""

    class Action(models.TextChoices):
        BLOCK = "block"
        UNBLOCK = "unblock"
        DELETE = "delete"
        MAKE_USER = "make_user"
        MAKE_MODERATOR = "make_moderator"
        MAKE_ADMIN = "make_admin"
        APPROVE = "approve"
        REJECT = "reject"
        CONFIRM_EMAIL = "confirm_email"
        RESET_PASSWORD = "reset_password"
        SET_PASSWORD = "set_password"

    class Kind(models.TextChoices):
        USER = "user"
        PAGE = "page"
        POST = "post"
        REGISTRATION = "registration"

    # Null: the operator, or one whose account is deleted.
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    actor_is_gone = models.BooleanField(default=False, db_default=False)
    # Whom it concerned: the target, or whose page or post it was. With their account go the words
    # of the entry, and what was done stays.
    subject = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=20, choices=Action)
    # The target may be gone, or have another name by now: `target` is what it was called.
    target_kind = models.CharField(max_length=20, choices=Kind)
    target_id = models.UUIDField()
    target = models.CharField(max_length=250, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    # When the block of a page was to end; null: for good.
    until = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(name="moderation_of_target", fields=["target_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.target_kind} {self.target}"
