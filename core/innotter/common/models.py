from django.db import models

from innotter_contracts.ids import new_id


class Record(models.Model):
    """What every row of ours has: an id that sorts by the moment it was made, and two times."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Usage(models.Model):
    """How often somebody did something that has a limit; see throttling.py. Not logged ahead."""

    # Of the limit and whom it holds for, not to be turned back.
    id = models.UUIDField(primary_key=True)
    used = models.IntegerField()
    # From then on it counts from nothing again.
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id}: {self.used}"
