"""How often a caller may do something, counted in PostgreSQL for all processes together.

A limit is so many times in so many seconds, from the first time on: LIMITS in the settings, by
name. Who it holds for is a word that the caller of this module chooses: a user, an IP, both.

A count is committed before what it counts is done: no refusal and no rollback takes it back.
"""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from innotter.common.compiled import fetched
from innotter.common.errors import Throttled
from innotter.common.metrics import THROTTLED
from innotter.common.models import Usage
from innotter.common.pruning import prune

# In the order of ids, so that of two statements at once neither waits for the other for ever.
COUNT = """
    INSERT INTO common_usage AS known (id, used, until)
    SELECT id, greatest(%s, 0), now() + make_interval(secs => seconds)
    FROM unnest(%s::uuid[], %s::integer[]) AS asked (id, seconds)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        used = greatest(CASE WHEN known.until > now() THEN known.used ELSE 0 END + %s, 0),
        until = CASE WHEN known.until > now() THEN known.until ELSE excluded.until END
    RETURNING id, used, extract(epoch FROM until - now())
"""


class Use(NamedTuple):
    """Of a limit, by whom it holds for."""

    limit: str
    who: str


def consume(*uses: Use) -> None:
    """Counts one more of each. Raises Throttled if one of them was too many."""
    if over := count(*uses):
        refuse(over)


def count(*uses: Use, times: int = 1) -> dict[Use, float]:
    """Counts in one statement. Those that are over their limit, with the seconds to wait.

    Raises RuntimeError in a transaction, whose rollback would take the count back.
    """
    keys = {_key(use): use for use in uses if _limit(use)[0]}
    if not keys:
        return {}
    seconds = [_limit(use)[1] for use in keys.values()]
    with _alone():
        rows = fetched(COUNT, [times, list(keys), seconds, times])
    counted = {keys[key]: (used, float(left)) for key, used, left in rows}
    return {use: left for use, (used, left) in counted.items() if used > _limit(use)[0]}


def _alone() -> AbstractContextManager[None]:
    """A transaction of one statement. Where each commits itself, it need not be begun and ended."""
    if connection.get_autocommit():
        return nullcontext()
    return transaction.atomic(durable=True, savepoint=False)


def refund(*uses: Use) -> None:
    """As if they had not been counted."""
    count(*uses, times=-1)


def refuse(over: dict[Use, float]) -> None:
    """Raises Throttled."""
    for use in over:
        THROTTLED.labels(use.limit).inc()
    raise Throttled(max(over.values()))


def prune_usage() -> int:
    """Deletes what no limit looks at any more; how many rows."""
    return prune(Usage.objects.filter(until__lt=Now()), by="until")


def keyed_id(text: str) -> UUID:
    """A one-way keyed id of a text: a table of these does not reveal who called from where."""
    key = settings.SECRET_KEY.encode()[:64]
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=16, key=key)
    return UUID(bytes=digest.digest())


def _limit(use: Use) -> tuple[int, int]:
    limit: tuple[int, int] = settings.LIMITS[use.limit]
    return limit


def _key(use: Use) -> UUID:
    return keyed_id(f"{use.limit}\n{use.who}")
