"""Keyset lists: a cursor names the last row that was seen, so rows that come or go move nothing.

A selector takes the `Window` that is asked for and answers with a `Slice`. Neither knows HTTP: a
front end makes the one from its request and the other's cursors into links.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Field, Model, QuerySet, TextField, UUIDField

from innotter.common.compiled import NewParameter, Shape, taken_apart
from innotter.common.errors import Invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

# What a cursor asks for: the rows after its position or before it, or with the row at it.
AFTER, BEFORE, FROM, UP_TO = DIRECTIONS = ("n", "p", "N", "P")

type Position = UUID | str


@dataclass(frozen=True)
class Key:
    """What a list is in order of: a column of ids or text, of which no two rows share a value."""

    column: str = "id"
    is_text: bool = False
    # Whether rows join the list before its first one, where they can be polled for.
    newest_first: bool = True


NEWEST_FIRST, OLDEST_FIRST = Key(), Key(newest_first=False)


@dataclass(frozen=True)
class Window:
    """The rows that are asked for: `limit` of them, from 1 to MAX_LIMIT, from the list's beginning
    or where `cursor` says, which is one of a former Slice."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    def of(self, key: Key) -> "Range":
        """Raises Invalid for a cursor of another list, or of nobody's."""
        if self.cursor is None:
            return Range(key, self.limit)
        direction, position = _decode(self.cursor, key)
        return Range(
            key,
            self.limit,
            position,
            backwards=direction in (BEFORE, UP_TO),
            inclusive=direction in (FROM, UP_TO),
        )

    def slice[M: Model](self, rows: QuerySet[M], key: Key = NEWEST_FIRST) -> "Slice[M]":
        """Those of the rows that are asked for, read by one query. Raises Invalid."""
        asked = self.of(key)
        return asked.slice(list(asked.bound(rows)[: self.limit + 1]))


@dataclass(frozen=True)
class Slice[Row]:
    """Rows of a list in its order, `limit` at most, and the cursors that lead on and back."""

    rows: Sequence[Row]
    next: str | None = None
    previous: str | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Range:
    """A window of a list in the order of `key`: the rows after `position` (or before it), or from
    it on where it is `inclusive`."""

    key: Key
    limit: int = DEFAULT_LIMIT
    position: Position | None = None
    backwards: bool = False
    inclusive: bool = False

    def bound[M: Model](self, queryset: QuerySet[M]) -> QuerySet[M]:
        """The queryset from the position on, in the direction asked."""
        if self.position is not None:
            beyond = ("lt" if self.descending else "gt") + ("e" if self.inclusive else "")
            queryset = queryset.filter(**{f"{self.key.column}__{beyond}": self.position})
        return self.ordered(queryset)

    def ordered[M: Model](self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Nearest to the position first."""
        return queryset.order_by(f"-{self.key.column}" if self.descending else self.key.column)

    @property
    def descending(self) -> bool:
        return self.key.newest_first != self.backwards

    def slice[Row](self, rows: Sequence[Row]) -> Slice[Row]:
        """Of the rows nearest to the position, nearest first: `limit`, and one more if there is
        one, each with its value of the key as an attribute.

        Where the list was entered, the way back is the position that was asked for, whatever
        rows are left there; the other one is the last row, if there are more.
        """

        more = len(rows) > self.limit
        rows = rows[: self.limit]
        last = self._at(rows[-1]) if rows else self.position
        following: str | None = None
        previous: str | None = None
        if self.backwards:
            following = self._way_back(FROM, AFTER)
            if last is not None and (more or self.key.newest_first):
                # With no more rows, those that come are polled for.
                previous = encode(BEFORE, last)
        else:
            if more and last is not None:
                following = encode(AFTER, last)
            if self.position is not None:
                previous = self._way_back(UP_TO, BEFORE)
            elif rows and self.key.newest_first:
                previous = encode(BEFORE, self._at(rows[0]))
        return Slice(rows[::-1] if self.backwards else rows, following, previous)

    def _at(self, row: Any) -> Position:
        position: Position = getattr(row, self.key.column)
        return position

    def _way_back(self, with_it: str, without_it: str) -> str:
        """To where the window begins: with the row at its position, unless that row is in it."""
        assert self.position is not None
        return encode(without_it if self.inclusive else with_it, self.position)


@dataclass(frozen=True)
class RangeShape:
    """A range, but for its position."""

    range: Range
    has_position: bool

    def stand_in(self, new: NewParameter) -> Range:
        if not self.has_position:
            return self.range
        field: Field[Any, Any] = TextField() if self.range.key.is_text else UUIDField()
        return replace(self.range, position=new(field))


@taken_apart.register
def _range(asked: Range) -> tuple[Shape, tuple[Position, ...]]:
    shape = RangeShape(replace(asked, position=None), asked.position is not None)
    return shape, () if asked.position is None else (asked.position,)


def encode(direction: str, position: Position) -> str:
    """A cursor to the rows in that direction of the position."""
    raw = position.bytes if isinstance(position, UUID) else position.encode()
    return base64.urlsafe_b64encode(direction.encode() + raw).rstrip(b"=").decode()


def _decode(cursor: str, key: Key) -> tuple[str, Position]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        direction = raw[:1].decode()
        position = raw[1:].decode() if key.is_text else UUID(bytes=raw[1:])
        # No row has an empty key, and PostgreSQL knows no text with NUL. Python's base64 passes
        # over signs that are none of it.
        ours = encode(direction, position) == cursor
        if direction not in DIRECTIONS or not position or "\0" in str(position) or not ours:
            raise ValueError
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    return direction, position


class InvalidCursor(Invalid):
    code = "invalid"
    detail = "Invalid cursor."

    def __init__(self) -> None:
        super().__init__("cursor")
