from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from psycopg.errors import UniqueViolation

from innotter.common.errors import Conflict


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
