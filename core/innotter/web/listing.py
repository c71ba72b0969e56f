"""One page of a list as the site shows it, with the links that lead on and back."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from innotter.common.pagination import BEFORE, UP_TO, Slice, Window


@dataclass(frozen=True)
class Listing:
    rows: Sequence[Any]
    # Paths with a query; empty where there is nothing.
    next: str = ""
    newer: str = ""
    # The cursor to poll with, of a list that begins here.
    newest: str = ""


def listing(request: HttpRequest, fetch: Callable[[Window], Slice[Any]]) -> Listing:
    """`fetch` is a selector that waits for its window. Raises Invalid for a cursor not of ours."""
    cursor = request.GET.get("cursor") or None
    window = Window(cursor=cursor)
    found = fetch(window)
    # On the way back the beginning is reached with the last full page.
    at_start = cursor is None or (_is_backwards(cursor) and len(found) < window.limit)
    return Listing(
        found.rows,
        next=_url(request, found.next) if found.rows and found.next else "",
        newer=_url(request, found.previous) if found.previous and not at_start else "",
        newest=found.previous or "" if cursor is None else "",
    )


def _url(request: HttpRequest, cursor: str) -> str:
    return f"{request.path}?{urlencode({**request.GET.dict(), 'cursor': cursor})}"


def _is_backwards(cursor: str) -> bool:
    """Of a cursor that a list has taken."""
    return base64.urlsafe_b64decode(cursor[:4])[:1].decode() in (BEFORE, UP_TO)
