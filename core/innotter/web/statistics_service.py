"""The statistics service, asked in the owner's own name: the only module that knows its address."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.common.errors import Unavailable

# Nobody waits longer for figures; the page stands without them.
SECONDS = 1.0


class StatisticsUnavailable(Unavailable):
    code = "statistics_unavailable"
    detail = "Statistics are not available at the moment."


@dataclass(frozen=True)
class Answer:
    body: bytes
    content_type: str


def statistics_of(uuid: str, owner: User, query: Mapping[str, str]) -> dict[str, Any]:
    """Totals and days as the service tells them. Raises StatisticsUnavailable."""
    found: dict[str, Any] = json.loads(_get(f"/pages/{uuid}/statistics", owner, query).body)
    return found


def chart_of(uuid: str, owner: User, query: Mapping[str, str], language: str) -> Answer:
    """The SVG that the service draws. Raises StatisticsUnavailable."""
    return _get(f"/pages/{uuid}/statistics.svg", owner, query, language)


def _get(path: str, owner: User, query: Mapping[str, str], language: str = "en") -> Answer:
    request = urllib.request.Request(  # noqa: S310 # the scheme is the operator's
        f"{settings.STATISTICS_INTERNAL_URL}/api/v1{path}?{urlencode(query)}",
        headers={
            "Authorization": f"Bearer {mint_access_token(owner)}",
            "Accept-Language": language,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return Answer(answer.read(), answer.headers["Content-Type"])
    except (urllib.error.URLError, OSError) as error:
        raise StatisticsUnavailable from error
