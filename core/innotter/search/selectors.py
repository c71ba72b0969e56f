"""Finding pages and users by what they are called, in one order.

The database ranks, in one query over both: each text that pages or users are found by gives its
candidates by an index, and the best of them are left. What is merely like the question is looked
for only where what begins with it does not fill the answer; and there is an end to the candidates
that are looked at, so that a word of everybody's costs little more than a rare one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import TrigramSimilarity, TrigramWordSimilarity
from django.db.models import (
    BooleanField,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    QuerySet,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Concat, Round

from innotter.accounts.models import User
from innotter.accounts.selectors import Viewer, shown_to
from innotter.common.compiled import With, compiled
from innotter.common.database import Composed, Folded, IsOneOf
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

# The question is compared as the rows' texts are. What sets something has no workers to help, which
# take longer to start than an answer may take.
RANKED = """
WITH beginning (id, distance) AS MATERIALIZED {beginning}, enough AS MATERIALIZED (
    SELECT set_config('pg_trgm.strict_word_similarity_threshold', '{likeness}', true) IS NULL
        OR count(*) > {most} OR length({text}) < {shortest} AS enough
    FROM (SELECT FROM beginning GROUP BY id {after_place}) AS counted
)
SELECT id, min(distance) AS distance
FROM (SELECT * FROM beginning UNION ALL {alike}) AS candidate (id, distance)
GROUP BY id {after_place} ORDER BY min(distance) {order}, id {order} LIMIT {wanted}
"""
HAVING = "HAVING (min(distance), id) {sign} ({far}::int, {after})"
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
    asked = window.of(NEAREST_FIRST)
    place = _place(asked.position)
    reads = {"page": _pages_found, "user": _users_found}
    hits = [
        Hit(kind, row, row.distance)
        for kind, read in reads.items()
        if type in (None, kind)
        for row in read(text, viewer, replace(asked, position=None), *place)
    ]
    hits.sort(key=lambda hit: (hit.distance, hit.row.id), reverse=asked.backwards)
    return asked.slice(hits[: asked.limit + 1])


@compiled
def _pages_found(
    text: str, viewer: Viewer, asked: Range, far: str | None, after: UUID | None
) -> With[Any]:
    pages = Page.objects.filter(findable_by(viewer))
    texts = [pages.annotate(text=Folded(column)) for column in ("name", "uuid", "tags__name")]
    return _nearest(pages_for(viewer), _ranking(texts, text, asked, far, after))


@compiled
def _users_found(
    text: str, viewer: Viewer, asked: Range, far: str | None, after: UUID | None
) -> With[Any]:
    users = User.objects.filter(shown_to(viewer))
    texts = [users.annotate(text=Folded(column)) for column in ("username", "title")]
    return _nearest(User.objects.all(), _ranking(texts, text, asked, far, after))


def _nearest(rows: QuerySet[Any], ranking: Composed) -> With[Any]:
    """The rows that are ranked, each with its `distance`."""
    ids = RawSQL("ARRAY(SELECT id FROM ranked)", (), ArrayField(UUIDField()))
    own = f"(SELECT distance FROM ranked WHERE id = {rows.model._meta.db_table}.id)"  # noqa: S608
    distance = RawSQL(own, (), IntegerField())  # noqa: S611 (a name of ours)
    return With("ranked", ranking, rows.filter(IsOneOf("pk", ids)).annotate(distance=distance))


def _ranking(texts: list[Rows], text: str, asked: Range, far: Any, after: Any) -> Composed:
    """The ids and distances of the rows that are asked for, of those that have these texts."""
    question = Func(text, function="fold_text", output_field=TextField())
    sign = ("<" if asked.backwards else ">") + ("=" if asked.inclusive else "")
    # On the way back the merely alike are met first, and never to be left out.
    most = BEGINNING * len(texts) if asked.backwards else asked.limit
    return Composed(
        RANKED,
        beginning=_union(_beginning(rows, question) for rows in texts),
        alike=_union(_alike(rows, question) for rows in texts),
        after_place="" if far is None else Composed(HAVING, sign=sign, far=far, after=after),
        text=question,
        likeness=f"{LIKENESS}",
        most=f"{most}",
        shortest=f"{SHORTEST_ALIKE}",
        order="DESC" if asked.backwards else "ASC",
        wanted=f"{asked.limit + 1}",
    )


def _beginning(rows: Rows, question: Any) -> Rows:
    near = rows.filter(text__startswith=question).order_by("text", "id")
    return _measured(near, TrigramSimilarity("text", question))[:BEGINNING]


def _alike(rows: Rows, question: Any) -> Rows:
    a_word = Concat(Value(" "), question, output_field=TextField())
    within = Q(text__contains=a_word) | Q(text__trigram_strict_word_similar=question)
    near = rows.filter(NOT_ENOUGH, within).exclude(text__startswith=question)
    return _measured(near, TrigramWordSimilarity(question, "text"), BEHIND)[:ALIKE]


def _measured(rows: Rows, similarity: Func, behind: int = 0) -> Rows:
    far = Round(BEHIND * (Value(1.0, FloatField()) - similarity))
    return rows.values_list(F("id"), Cast(far, IntegerField()) + behind)


def _union(parts: Iterable[Rows]) -> Rows:
    return reduce(lambda some, more: some.union(more, all=True), parts)


def _place(position: object) -> tuple[str | None, UUID | None]:
    if position is None:
        return None, None
    match = re.fullmatch("([0-9]{1,4}):([0-9a-f]{32})", str(position))
    if match is None:
        raise InvalidCursor
    return match[1], UUID(match[2])
