import time
from typing import Any, ClassVar

from django.db import models

from innotter_contracts.ids import new_id


class ChangedAt(models.DateTimeField):  # type: ignore[type-arg] # generic in its stubs alone
    """When a row was last saved; of a new row the very moment of `created_at`, so that one can
    show whether it was ever edited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_now": True})

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if not add:
            return super().pre_save(model_instance, add)
        # Django asks the fields in their order.
        setattr(model_instance, self.attname, created_at := vars(model_instance)["created_at"])
        return created_at

    def deconstruct(self) -> Any:
        """To migrations, a DateTimeField like any."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs


class Record(models.Model):
    """What every row of ours has: an id that sorts by the moment it was made, and two times."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = ChangedAt()

    class Meta:
        abstract = True


def milliseconds_now() -> int:
    return time.time_ns() // 1_000_000


class Revised(models.Model):
    """A row whose state is published in events. `revision` orders them independently of clocks."""

    # Milliseconds to begin with, so that it also rises where a backup has brought an older one
    # back; one more than before where a clock has gone back. The database's default is for the
    # version before, which still writes while this one is being rolled out.
    revision = models.BigIntegerField(
        default=milliseconds_now,
        db_default=models.Func(
            template="(extract(epoch FROM now()) * 1000)::bigint",
            output_field=models.BigIntegerField(),
        ),
        editable=False,
    )

    class Meta:
        abstract = True

    def revise(self) -> None:
        """Before a change is saved, with the row locked. `revision` has to be saved too."""
        self.revision = max(self.revision + 1, milliseconds_now())


class Usage(models.Model):
    """How often somebody did something that has a limit; see throttling.py. Not logged ahead."""

    # Of the limit and whom it holds for, not to be turned back.
    id = models.UUIDField(primary_key=True)
    used = models.IntegerField()
    # From then on it counts from nothing again.
    until = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(name="usage_until", fields=["until"])]

    def __str__(self) -> str:
        return f"{self.id}: {self.used}"


class Maintenance(models.Model):
    """One row while nobody may write, and none otherwise; see maintenance.py."""

    id = models.BooleanField(primary_key=True, default=True, editable=False)
    # In the operator's words, for those who meet it.
    reason = models.TextField()
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="maintenance_is_one_row", condition=models.Q(id=True))
        ]

    def __str__(self) -> str:
        return self.reason
