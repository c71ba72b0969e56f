from django.db import models


class Deletion(models.Model):
    """A user whose account is gone, while events that name them are still kept or on their way."""

    user_id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.user_id)
