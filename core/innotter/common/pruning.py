"""Deletes rows that are over."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import QuerySet

from innotter.common.database import IsOneOf

# So many in one transaction, and so many transactions of a kind in one run.
AT_ONCE = 5_000
STEPS = 20


def prune(over: QuerySet[Any], *, by: str) -> int:
    """Deletes these, beginning with the least of that column, until none is left or a run's share
    is gone; how many, and not what goes with them. Several at once share the work."""
    some = over.order_by(by).select_for_update(skip_locked=True).values("pk")[:AT_ONCE]
    # An array, because in some plans a subquery is run once a row, and then has no limit.
    rows = over.model._base_manager.filter(IsOneOf("pk", ArraySubquery(some)))
    pruned = 0
    for _ in range(STEPS):
        # What goes with a row is looked for while it is locked.
        with transaction.atomic():
            _, deleted = rows.delete()
        count = deleted.get(over.model._meta.label, 0)
        pruned += count
        if count < AT_ONCE:
            break
    return pruned
