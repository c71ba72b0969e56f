from typing import ClassVar

from django.db import models

from innotter.accounts.models.users import User
from innotter.common.models import Record


class FormerUsername(Record):
    """A name that a user had, lower-case: reserved for them until a moment, and for nobody where
    the user is gone."""

    username = models.CharField(max_length=30, unique=True)
    user = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="former_usernames"
    )
    reserved_until = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(name="former_username_end", fields=["reserved_until"])]

    def __str__(self) -> str:
        return self.username
