"""Keyset lists: a cursor names the last row that was seen, so rows that come or go move nothing.

Rows are ordered by a key that no two of them share: their id, or another column of ids or text.

A selector takes a `Window`, which knows nothing of HTTP; the view makes it from the request.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

# What a cursor asks for: the rows after its position or before it, or with the row at it.
AFTER, BEFORE, FROM, UP_TO = DIRECTIONS = ("n", "p", "N", "P")

type Key = UUID | str


@dataclass(frozen=True)
class Window:
    """The rows that are asked for: `limit` of them, after `position` (or before it), or from it
    on where it is `inclusive`."""

    limit: int = DEFAULT_LIMIT
    position: Key | None = None
    backwards: bool = False
    inclusive: bool = False
    # Whether rows join the list before its first one, where they can be polled for.
    newest_first: bool = True

    def over[M: Model](self, queryset: QuerySet[M], *, key: str = "id") -> list[M]:
        """The window's rows and one more, if there is one, nearest to the position first."""
        return list(self.bound(queryset, key=key)[: self.limit + 1])

    def bound[M: Model](self, queryset: QuerySet[M], *, key: str = "id") -> QuerySet[M]:
        """The queryset from the position on, in the window's direction."""
        descending = self.newest_first != self.backwards
        if self.position is not None:
            beyond = ("lt" if descending else "gt") + ("e" if self.inclusive else "")
            queryset = queryset.filter(**{f"{key}__{beyond}": self.position})
        return queryset.order_by(f"-{key}" if descending else key)


class KeysetPagination(BasePagination):
    """`?cursor=` and `?limit=` in, `{"next", "previous", "results"}` out."""

    def window(
        self, request: Request, key_type: type[Key] = UUID, *, newest_first: bool = True
    ) -> Window:
        """Raises ValidationError (400) for a limit or a cursor that we did not make."""
        limit = _limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return Window(limit, newest_first=newest_first)
        direction, position = _decode(cursor, key_type)
        return Window(
            limit,
            position,
            backwards=direction in (BEFORE, UP_TO),
            inclusive=direction in (FROM, UP_TO),
            newest_first=newest_first,
        )

    def answer(
        self,
        request: Request,
        window: Window,
        rows: Sequence[Any],
        serialize: Callable[[Sequence[Any]], Any],
        key: Callable[[Any], Key],
    ) -> Response:
        """`rows` as `Window.over` gives them: nearest to the position first, perhaps one more.

        Where the list was entered, the link back is the position that was asked for, whatever
        rows are left there; the other one is the last row, if there are more.
        """
        more = len(rows) > window.limit
        rows = rows[: window.limit]
        last = key(rows[-1]) if rows else window.position
        following: str | None = None
        previous: str | None = None
        if window.backwards:
            following = _cursor(FROM, AFTER, window)
            if last is not None and (more or window.newest_first):
                # With no more rows, those that come are polled for.
                previous = _encode(BEFORE, last)
        else:
            if more and last is not None:
                following = _encode(AFTER, last)
            if window.position is not None:
                previous = _cursor(UP_TO, BEFORE, window)
            elif rows and window.newest_first:
                previous = _encode(BEFORE, key(rows[0]))
        return Response(
            {
                "next": _link(request, following),
                "previous": _link(request, previous),
                "results": serialize(rows[::-1] if window.backwards else rows),
            }
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "From `next` or `previous` of another answer.",
                "schema": {"type": "string", "minLength": 1},
            },
            {
                "name": "limit",
                "in": "query",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise ValidationError({"limit": f"A number from 1 to {MAX_LIMIT} is expected."})


def _cursor(with_it: str, without_it: str, window: Window) -> str:
    """The way back from where the window begins: with the row at its position, unless that row
    is in the window."""
    assert window.position is not None
    return _encode(without_it if window.inclusive else with_it, window.position)


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor)


def _encode(direction: str, position: Key) -> str:
    raw = position.bytes if isinstance(position, UUID) else position.encode()
    return base64.urlsafe_b64encode(direction.encode() + raw).rstrip(b"=").decode()


def _decode(cursor: str, key_type: type[Key]) -> tuple[str, Key]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        direction = raw[:1].decode()
        position = UUID(bytes=raw[1:]) if key_type is UUID else raw[1:].decode()
        # No row has an empty key, and PostgreSQL knows no text with NUL. Python's base64 passes
        # over signs that are none of it.
        ours = _encode(direction, position) == cursor
        if direction not in DIRECTIONS or not position or "\0" in str(position) or not ours:
            raise ValueError
    except (binascii.Error, ValueError):
        raise ValidationError({"cursor": "This cursor is not one of ours."}) from None
    return direction, position
