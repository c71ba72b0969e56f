"""How often a caller may do something, counted in PostgreSQL for all processes together.

A limit is so many times in so many seconds, from the first time on: LIMITS in the settings, by
name. Who it holds for is a word that the caller of this module chooses: a user, an address, both.
"""

import hashlib
import ipaddress
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from innotter.common.errors import Throttled
from innotter.common.metrics import THROTTLED

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
PRUNED_AT_ONCE = 10_000
PRUNE = """
    DELETE FROM common_usage WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM common_usage WHERE until < now() LIMIT %s
    ))
"""


class Use(NamedTuple):
    """Of a limit, by whom it holds for."""

    limit: str
    who: str


def take(*uses: Use) -> None:
    """Counts one more of each. Raises Throttled if one of them was too many."""
    if over := count(*uses):
        refuse(over)


def count(*uses: Use, times: int = 1) -> dict[Use, float]:
    """Counts in one statement. Those that are over their limit, with the seconds to wait."""
    keys = {_key(use): use for use in uses if _limit(use)[0]}
    if not keys:
        return {}
    seconds = [_limit(use)[1] for use in keys.values()]
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [times, list(keys), seconds, times])
        counted = {keys[key]: (used, float(left)) for key, used, left in cursor.fetchall()}
    return {use: left for use, (used, left) in counted.items() if used > _limit(use)[0]}


def give_back(*uses: Use) -> None:
    """As if they had not been counted."""
    count(*uses, times=-1)


def is_counted(use: Use) -> bool:
    """Whether it was counted within its time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM common_usage WHERE id = %s AND until > now() AND used > 0", [_key(use)]
        )
        return cursor.fetchone() is not None


def refuse(over: dict[Use, float]) -> None:
    """Raises Throttled."""
    for use in over:
        THROTTLED.labels(use.limit).inc()
    raise Throttled(max(over.values()))


def prune_usage() -> int:
    """Deletes what no limit looks at any more; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(PRUNE, [PRUNED_AT_ONCE])
        return int(cursor.rowcount)


class WritesOfUser(BaseThrottle):
    """The limit of every call that changes something, for each user."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.method not in SAFE_METHODS and request.user.is_authenticated:
            take(Use("writes", str(request.user.pk)))
        return True


def client_ip(request: HttpRequest | Request) -> str:
    """Where a request comes from, as far as it can be believed: the TRUSTED_PROXIES-th entry of
    X-Forwarded-For from its end; of IPv6 the network, whose every address one client may use."""
    chain = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies = settings.TRUSTED_PROXIES
    said = chain[-proxies] if 0 < proxies <= len(chain) else ""
    for text in (said, request.META.get("REMOTE_ADDR", "")):
        try:
            address = ipaddress.ip_address(text.strip())
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(getattr(address, "ipv4_mapped", None) or address)
    return ""


def _limit(use: Use) -> tuple[int, int]:
    limit: tuple[int, int] = settings.LIMITS[use.limit]
    return limit


def _key(use: Use) -> UUID:
    """Not to be turned back: the table shall tell nothing of who called from where."""
    digest = hashlib.blake2b(
        f"{use.limit}\n{use.who}".encode(errors="replace"),
        digest_size=16,
        key=settings.SECRET_KEY.encode()[:64],
    )
    return UUID(bytes=digest.digest())
