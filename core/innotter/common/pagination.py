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

type Key = UUID | str


@dataclass(frozen=True)
class Window:
    """The rows that are asked for: `limit` of them, after `position` (or before it)."""

    limit: int = DEFAULT_LIMIT
    position: Key | None = None
    backwards: bool = False

    def over[M: Model](
        self, queryset: QuerySet[M], *, key: str = "id", newest_first: bool = True
    ) -> list[M]:
        """The window's rows and one more, if there is one, nearest to the position first."""
        return list(self.bound(queryset, key=key, newest_first=newest_first)[: self.limit + 1])

    def bound[M: Model](
        self, queryset: QuerySet[M], *, key: str = "id", newest_first: bool = True
    ) -> QuerySet[M]:
        """The queryset from the position on, in the window's direction."""
        descending = newest_first != self.backwards
        if self.position is not None:
            queryset = queryset.filter(**{f"{key}__{'lt' if descending else 'gt'}": self.position})
        return queryset.order_by(f"-{key}" if descending else key)


class KeysetPagination(BasePagination):
    """`?cursor=` and `?limit=` in, `{"next", "previous", "results"}` out."""

    def window(self, request: Request, key_type: type[Key] = UUID) -> Window:
        """Raises ValidationError (400) for a limit or a cursor that we did not make."""
        limit = _limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return Window(limit)
        direction, position = _decode(cursor, key_type)
        return Window(limit, position, backwards=direction == "p")

    def answer(
        self,
        request: Request,
        window: Window,
        rows: Sequence[Any],
        serialize: Callable[[Sequence[Any]], Any],
        key: Callable[[Any], Key],
    ) -> Response:
        """`rows` as `Window.over` gives them: nearest to the position first, perhaps one more."""
        more = len(rows) > window.limit
        rows = rows[: window.limit]
        if window.backwards:
            rows = rows[::-1]
        has_next = bool(rows) and (more or window.backwards)
        has_previous = bool(rows) and (more if window.backwards else window.position is not None)
        return Response(
            {
                "next": _link(request, "n", key(rows[-1])) if has_next else None,
                "previous": _link(request, "p", key(rows[0])) if has_previous else None,
                "results": serialize(rows),
            }
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "From `next` or `previous` of another answer.",
                "schema": {"type": "string"},
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


def _link(request: Request, direction: str, position: Key) -> str:
    cursor = _encode(direction, position)
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
        if direction not in ("n", "p") or not position or "\0" in str(position) or not ours:
            raise ValueError
    except (binascii.Error, ValueError):
        raise ValidationError({"cursor": "This cursor is not one of ours."}) from None
    return direction, position
