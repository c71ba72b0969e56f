"""Finding pages and users by what they are called, in one order.

The database ranks, in one query over both: each text that pages or users are found by gives its
candidates by an index, and the best of them are left. What is merely like the question is looked
for only where what begins with it does not fill the answer; and there is an end to the candidates
that are looked at, so that a word of everybody's costs little more than a rare one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import TrigramSimilarity, TrigramWordSimilarity
from django.db import connection, transaction
from django.db.models import (
    BooleanField,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Round

from innotter.accounts.models import User
from innotter.accounts.selectors import Viewer, shown_to
from innotter.common.database import Folded
from innotter.common.pagination import InvalidCursor, Key, Range, Slice, Window
from innotter.pages.models import Page
from innotter.pages.selectors import findable_by, pages_for

# How many candidates one text gives: those that begin with the question, in alphabetical order,
# so that what is called exactly that is among them; and those that are like it.
BEGINNING, ALIKE = 500, 3_000
# Shorter queries have no trigrams and are matched as prefixes only.
SHORTEST_ALIKE = 3
# How many of all their trigrams a question and some whole words in a row have to share: six letters
# and the same six, two of which have changed places in the middle, share 3 of 11.
LIKENESS = 0.27
# The distance at which those that do not begin with the question come after those that do.
BEHIND = 1_000

# `distance:id`, which no column has.
NEAREST_FIRST = Key("place", is_text=True, newest_first=False)

# For the transaction, and the question as the rows' texts are compared with it. Workers take longer
# to start than an answer may take.
BEGIN = f"""
SELECT fold_text(%s),
    set_config('pg_trgm.strict_word_similarity_threshold', '{LIKENESS}', true),
    set_config('max_parallel_workers_per_gather', '0', true)
"""
RANKED = """
WITH beginning (type, id, distance) AS MATERIALIZED ({beginning}), enough AS MATERIALIZED (
    SELECT count(*) > %s AS enough FROM (
        SELECT FROM beginning GROUP BY type, id {after}
    ) AS counted
)
SELECT type, id, min(distance) FROM ({candidates}) AS candidate (type, id, distance)
GROUP BY type, id {after} ORDER BY min(distance) {order}, id {order} LIMIT %s
"""
NOT_ENOUGH = RawSQL("NOT (SELECT enough FROM enough)", [], BooleanField())

type Rows = QuerySet[Any, Any]


@dataclass(frozen=True)
class Hit:
    """A page or a user that was found; `type` says which. The nearest come first."""

    type: str
    row: Page | User
    # 0 for what is called exactly as asked, up to 2 * BEHIND.
    distance: int

    @property
    def place(self) -> str:
        """Where it stands in the order, for a cursor."""
        return f"{self.distance}:{self.row.id.hex}"


def found(text: str, viewer: Viewer, window: Window, type: str | None = None) -> Slice[Hit]:
    """Pages by name, uuid or tag, users by username or title: first those that begin with the
    text, then those that have something like it, each the most similar first. Raises Invalid for
    a cursor that is no Hit's place.
    """
    texts = list(_texts(viewer, type))
    asked = window.of(NEAREST_FIRST)
    place = _place(asked.position)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BEGIN, [text])
        folded, *_ = cursor.fetchone()
        cursor.execute(*_ranking(folded, texts, asked, place))
        ranked = cursor.fetchall()
    rows: dict[UUID, Page | User] = {
        **pages_for(viewer).in_bulk([row_id for kind, row_id, _ in ranked if kind == "page"]),
        **User.objects.in_bulk([row_id for kind, row_id, _ in ranked if kind == "user"]),
    }
    # What has gone in between is left out.
    return asked.slice(
        [Hit(kind, rows[row_id], far) for kind, row_id, far in ranked if row_id in rows]
    )


def _texts(viewer: Viewer, type: str | None) -> Iterator[Rows]:
    """Each text that something is found by: its `type`, and its rows with their `text`."""
    if type != "user":
        pages = Page.objects.filter(findable_by(viewer))
        for column in ("name", "uuid", "tags__name"):
            yield pages.annotate(type=Value("page", TextField()), text=Folded(column))
    if type != "page":
        users = User.objects.filter(shown_to(viewer))
        for column in ("username", "title"):
            yield users.annotate(type=Value("user", TextField()), text=Folded(column))


def _ranking(
    text: str, texts: list[Rows], asked: Range, place: tuple[int, UUID] | None
) -> tuple[str, list[Any]]:
    """The query for the types, ids and distances of the hits that are asked for."""
    sign, order = ("<", "DESC") if asked.backwards else (">", "ASC")
    after, position = "", []
    if place is not None:
        sign += "=" if asked.inclusive else ""
        after, position = f"HAVING (min(distance), id) {sign} (%s, %s)", [*place]
    beginning, beginning_params = _sql([_beginning(rows, text) for rows in texts])
    candidates, candidates_params = "SELECT * FROM beginning", list[Any]()
    if len(text) >= SHORTEST_ALIKE:
        alike, candidates_params = _sql([_alike(rows, text) for rows in texts])
        candidates = f"{candidates} UNION ALL {alike}"
    sql = RANKED.format(beginning=beginning, candidates=candidates, after=after, order=order)
    # On the way back the merely alike are met first, and never to be left out.
    enough = BEGINNING * len(texts) if asked.backwards else asked.limit
    own = [enough, *position, *candidates_params, *position, asked.limit + 1]
    return sql, [*beginning_params, *own]


def _beginning(rows: Rows, text: str) -> Rows:
    near = rows.filter(text__startswith=text).order_by("text", "id")
    return _measured(near, TrigramSimilarity("text", text))[:BEGINNING]


def _alike(rows: Rows, text: str) -> Rows:
    within = Q(text__contains=f" {text}") | Q(text__trigram_strict_word_similar=text)
    near = rows.filter(NOT_ENOUGH, within).exclude(text__startswith=text)
    return _measured(near, TrigramWordSimilarity(text, "text"), BEHIND)[:ALIKE]


def _measured(rows: Rows, similarity: Func, behind: int = 0) -> Rows:
    far = Round(BEHIND * (Value(1.0, FloatField()) - similarity))
    return rows.values_list("type", F("id"), Cast(far, IntegerField()) + behind)


def _sql(parts: list[Rows]) -> tuple[str, list[Any]]:
    union = reduce(lambda some, more: some.union(more, all=True), parts)
    sql, params = union.query.sql_with_params()
    return sql, [*params]


def _place(position: object) -> tuple[int, UUID] | None:
    if position is None:
        return None
    match = re.fullmatch("([0-9]{1,4}):([0-9a-f]{32})", str(position))
    if match is None:
        raise InvalidCursor
    return int(match[1]), UUID(match[2])
