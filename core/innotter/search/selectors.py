"""Finding pages and users by what they are called, in one order.

The database ranks, in one query over both: each text that pages or users are found by gives its
candidates by an index, and the best of them are left. What is merely like the question is looked
for only where what begins with it does not fill the answer; and there is an end to the candidates
that are looked at, so that a word of everybody's costs little more than a rare one.
"""

import re
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    BooleanField,
    ExpressionWrapper,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.expressions import RawSQL

from innotter.accounts.models import User
from innotter.accounts.selectors import PRIVATE, Viewer, hidden, shown_to
from innotter.common.compiled import Named, compiled
from innotter.common.database import Composed, Folded
from innotter.common.pagination import InvalidCursor, Key, Range, Slice, Window
from innotter.pages.models import Page
from innotter.pages.selectors import findable_by, with_profile

# How many candidates one text gives: those that begin with the question, in alphabetical order,
# so that what is called exactly that is among them; and those that are like it.
MOST_BEGINNING, MOST_ALIKE = 500, 3_000
# Shorter queries have no trigrams and are matched as prefixes only.
SHORTEST_ALIKE = 3
# How many of all their trigrams a question and some whole words in a row have to share: six letters
# and the same six, two of which have changed places in the middle, share 3 of 11.
LIKENESS = 0.27
# The distance at which those that do not begin with the question come after those that do.
BEHIND = 1_000

# `distance:id`, which no column has.
NEAREST_FIRST = Key("place", is_text=True, newest_first=False)

# The question is folded once, as the rows' texts are, and looked up from then on: so PostgreSQL
# keeps one plan for all questions. What sets something has no workers to help, which take longer to
# start than an answer may take.
RANKED = r"""
WITH question AS MATERIALIZED (
    SELECT text, text || chr(1114111) AS last,
        '% ' || regexp_replace(text, '([\\%_])', '\\\1', 'g') || '%' AS within
    FROM (SELECT {folded} AS text)
), beginning (id, distance) AS MATERIALIZED ({beginning}), enough AS MATERIALIZED (
    SELECT set_config('pg_trgm.strict_word_similarity_threshold', '{likeness}', true) IS NULL
        OR count(*) > {most} OR length((SELECT text FROM question)) < {shortest} AS enough
    FROM (SELECT FROM beginning GROUP BY id {after_place}) AS counted
)
SELECT id, min(distance) AS distance
FROM (SELECT * FROM beginning UNION ALL {alike}) AS candidate (id, distance)
GROUP BY id {after_place} ORDER BY min(distance) {order}, id {order} LIMIT {wanted}
"""
HAVING = "HAVING (min(distance), id) {sign} ({far}::int, {after})"
# `>= ANY` of one, because the planner takes two plain bounds for a narrow range, and then sorts all
# of a wide one in place of reading the first of an index.
BEGINNING = """(
    SELECT id, floor({behind} * (1.0 - similarity(text, (SELECT text FROM question))) + 0.5)::int
    FROM (
        SELECT id, text FROM {texts} AS each (id, text)
        WHERE text >= ANY (ARRAY(SELECT text FROM question)) AND text <= (SELECT last FROM question)
            AND {is_seen}
        ORDER BY text, id LIMIT {limit}
    ) AS near
)"""
# OFFSET 0, so that a text is folded once for all that follows. What is seen is asked after that,
# and the question is joined: else the planner, with the LIMIT and what it takes to see rows in
# mind, makes nothing of an index of the texts (decision 178).
ALIKE = """(
    SELECT id, {behind}
        + floor({behind} * (1.0 - word_similarity(question.text, each.text)) + 0.5)::int
    FROM question, (
        SELECT id, text FROM {texts} AS each (id, text)
        WHERE NOT (SELECT enough FROM enough) AND (
            text %>> (SELECT text FROM question) OR text LIKE (SELECT within FROM question)
        ) OFFSET 0
    ) AS each
    WHERE NOT starts_with(each.text, question.text) AND {is_seen} LIMIT {limit}
)"""

type Rows = QuerySet[Any, Any]


class Texts(NamedTuple):
    """That rows of a kind are found by: a query for their ids and texts, and which `each` of them
    is seen, where the query does not say that itself."""

    rows: Rows
    is_seen: Rows | str = "true"


# The texts of a kind, and the rows as shown.
type Searched = tuple[list[Texts], QuerySet[Any]]


class Hit(NamedTuple):
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
    kinds = (type,) if type else tuple(SEARCHED)
    nearest: list[Any] = _nearest(
        text, viewer, kinds, replace(asked, position=None), *_place(asked.position)
    )
    hits = [Hit(TYPE_OF[row.__class__], row, distance) for row, _, distance in nearest]
    hits.sort(key=lambda hit: (hit.distance, hit.row.id.int), reverse=asked.backwards)
    return asked.slice(hits)


@compiled
def _nearest(  # noqa: PLR0917 (a compiled read takes its values one by one)
    text: str,
    viewer: Viewer,
    kinds: tuple[str, ...],
    asked: Range,
    far: str | None,
    after: UUID | None,
) -> Named:
    texts, rows = zip(*(SEARCHED[kind](viewer) for kind in kinds), strict=True)
    return Named(_ranking(list(chain(*texts)), text, asked, far, after), rows)


def _pages(viewer: Viewer) -> Searched:
    # Each owner is looked up by itself: of a join the planner may make one of all users.
    owner = User.objects.filter(pk=OuterRef("owner"))
    is_hidden = ExpressionWrapper(hidden(), output_field=BooleanField())
    findable = findable_by(viewer, hidden_owner=Q(Subquery(owner.values(is_hidden=is_hidden))))
    pages = Page.objects.filter(findable)
    texts = [Texts(pages.values_list("pk", Folded(each))) for each in ("name", "uuid")]
    tagged = Page.tags.through.objects.values_list("page", Folded("tag__name"))
    page_of_each = pages.filter(pk=RawSQL("each.id", (), UUIDField()))
    texts.append(Texts(tagged, page_of_each.values(is_findable=Value(True))))
    return texts, with_profile(Page.objects.all(), viewer)


def _users(viewer: Viewer) -> Searched:
    users = User.objects.filter(shown_to(viewer))
    texts = [Texts(users.values_list("pk", Folded(column))) for column in ("username", "title")]
    return texts, User.objects.defer(*PRIVATE)


SEARCHED = {"page": _pages, "user": _users}
TYPE_OF: dict[type, str] = {Page: "page", User: "user"}


def _ranking(texts: list[Texts], text: str, asked: Range, far: Any, after: Any) -> Composed:
    """The ids and distances of the rows that are asked for, of those that have these texts: each a
    query for ids and texts."""
    sign = ("<" if asked.backwards else ">") + ("=" if asked.inclusive else "")
    # On the way back the merely alike are met first, and never to be left out.
    most = MOST_BEGINNING * len(texts) if asked.backwards else asked.limit
    return Composed(
        RANKED,
        folded=Func(text, function="fold_text", output_field=TextField()),
        beginning=_union(BEGINNING, texts, MOST_BEGINNING),
        alike=_union(ALIKE, texts, MOST_ALIKE),
        after_place="" if far is None else Composed(HAVING, sign=sign, far=far, after=after),
        likeness=f"{LIKENESS}",
        most=f"{most}",
        shortest=f"{SHORTEST_ALIKE}",
        order="DESC" if asked.backwards else "ASC",
        wanted=f"{asked.limit + 1}",
    )


def _union(template: str, texts: list[Texts], limit: int) -> Composed:
    parts: dict[str, Any] = {
        f"part{number}": Composed(
            template, texts=rows, is_seen=is_seen, behind=f"{BEHIND}", limit=f"{limit}"
        )
        for number, (rows, is_seen) in enumerate(texts)
    }
    return Composed(" UNION ALL ".join(f"{{{name}}}" for name in parts), **parts)


def _place(position: object) -> tuple[str | None, UUID | None]:
    if position is None:
        return None, None
    match = re.fullmatch("([0-9]{1,4}):([0-9a-f]{32})", str(position))
    if match is None:
        raise InvalidCursor
    return match[1], UUID(match[2])
