from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from psycopg.errors import UniqueViolation

from innotter.common.errors import Conflict
from innotter.common.models import Record


@contextmanager
def conflicts(names: Mapping[str | None, type[Conflict]]) -> Iterator[None]:
    """A transaction in which breaking a unique constraint raises the Conflict named for it.

    The database decides, so that of two clients at once one wins; what is named by nobody
    stays an IntegrityError.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, UniqueViolation) else None
        if name in names:
            raise names[name] from None
        raise


def assign(row: Record, wishes: Mapping[str, Any]) -> set[str]:
    """Gives the row the values that are not None; the fields to save, none if none differs."""
    changes = {
        field: value
        for field, value in wishes.items()
        if value is not None and value != getattr(row, field)
    }
    for field, value in changes.items():
        setattr(row, field, value)
    return {*changes, "updated_at"} if changes else set()
