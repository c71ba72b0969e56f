"""The rival's search and suggestions: what is found as rules say, by hand-written SQL.

Of each text the first 500 in order of the alphabet that begin with the question, and where these
are too few 3,000 that are like it; the nearest of all. The best SQL that was found is what the core
asks, too, but that of a page its owner alone is looked up.
"""
# ruff: noqa: S608 (what is put into these texts is other texts of this page)

from html import escape
from typing import Any

import heroicons

from bench.bare_sql import PAGE_COLUMNS, USER_COLUMNS

BEGINNING = """
SELECT id, floor(1000 * (1.0 - similarity(text, (SELECT text FROM question))) + 0.5)::int
FROM (SELECT {id} AS id, {text} AS text FROM {rows}
    WHERE {text} >= ANY (ARRAY(SELECT text FROM question))
        AND {text} <= (SELECT text || chr(1114111) FROM question) AND {seen}
    ORDER BY 2, 1 LIMIT 500) near"""
ALIKE = """
SELECT id, 1000
    + floor(1000 * (1.0 - word_similarity((SELECT text FROM question), text)) + 0.5)::int
FROM (SELECT {id} AS id, {text} AS text FROM {rows}
    WHERE NOT (SELECT enough FROM enough) AND ({text} %%>> (SELECT text FROM question)
        OR {text} LIKE (SELECT within FROM question)) AND {seen} OFFSET 0) near
WHERE NOT starts_with(text, (SELECT text FROM question)) LIMIT 3000"""
RANKED = r"""
WITH question AS MATERIALIZED (SELECT text,
        '%% ' || regexp_replace(text, '([\\%%_])', '\\\1', 'g') || '%%' AS within
    FROM (SELECT fold_text(%(q)s::text) AS text) folded),
    beginning (id, distance) AS MATERIALIZED ({beginning}),
    enough AS MATERIALIZED (SELECT count(DISTINCT id) > {{n}}
        OR length((SELECT text FROM question)) < 3 AS enough FROM beginning),
    ranked AS (SELECT id, min(distance) AS distance
        FROM (SELECT * FROM beginning UNION ALL {alike}) candidate (id, distance)
        GROUP BY id ORDER BY 2, 1 LIMIT {{n}} + 1)
"""
OPEN = """(page.owner_id = %(me)s OR NOT page.blocked_for_good
    AND (page.unblock_date <= now() OR page.unblock_date IS NULL)
    AND (SELECT NOT is_blocked AND deletes_at IS NULL FROM accounts_user
        WHERE id = page.owner_id))"""
TAGGED = """pages_tag tag JOIN pages_page_tags tagged ON tagged.tag_id = tag.id
    JOIN pages_page page ON page.id = tagged.page_id"""
LIVE = "NOT is_blocked AND deletes_at IS NULL"
# Id, text, rows, and who is seen.
PAGES = [
    ("page.id", "page.name", "pages_page page", OPEN),
    ("page.id", "page.uuid", "pages_page page", OPEN),
    ("page.id", "tag.name", TAGGED, OPEN),
]
USERS = [("id", name, "accounts_user", LIVE) for name in ("username", "title")]
FOLDED = '(fold_text({}) COLLATE "C")'
LOCK = heroicons._render_icon("micro", "lock-closed", 14, {"aria_hidden": "true"}).replace("\n", "")
THRESHOLD = "SET pg_trgm.strict_word_similarity_threshold = 0.27"


def ranked(texts: list[tuple[str, str, str, str]]) -> str:
    def union(part: str) -> str:
        return " UNION ALL ".join(
            f"({part.format(id=key, text=FOLDED.format(text), rows=rows, seen=seen)})"
            for key, text, rows, seen in texts
        )

    return RANKED.format(beginning=union(BEGINNING), alike=union(ALIKE))


# Of a page, or of a user, the columns; in the end the distance. A text for each limit: where
# PostgreSQL has to guess it, it plans anew for each question.
FIND = f"""{ranked([*PAGES, *USERS])}
SELECT shown.*, {USER_COLUMNS}, ranked.distance
FROM ranked LEFT JOIN LATERAL (
    SELECT {PAGE_COLUMNS} FROM pages_page page JOIN accounts_user owner ON owner.id = page.owner_id
    WHERE page.id = ranked.id OFFSET 0) shown ON true
LEFT JOIN LATERAL (SELECT * FROM accounts_user WHERE id = ranked.id OFFSET 0) person ON true
ORDER BY ranked.distance, ranked.id"""
# So many of a row are a page's.
OF_PAGE = 18


def suggested(hits: list[tuple[str, Any]], media_url: str) -> str:
    """What the site shows while one types, of rows of the two statements and their kinds."""
    shown = {"page": page_row, "user": person_row}
    rows = "".join(f"<li>{shown[kind](row, media_url)}</li>" for kind, row in hits)
    return f'\n  <ul class="card list">{rows}</ul>\n  ' if hits else "\n  \n  "


def page_row(row: Any, media_url: str) -> str:
    badge = f' <span class="badge">{LOCK}Private</span>' if row[8] else ""
    followers = f"{row[9]:,} follower{'s' * (row[9] != 1)}"
    return (
        f'\n<div class="person page">{avatar(row[2], row[4], media_url)}<div class="who">'
        f'<a href="/@{row[1]}"><bdi>{escape(row[2])}</bdi></a>{badge}<br>'
        f'<span class="muted small">@{row[1]} · <span class="whole">{followers}</span></span>'
        "</div></div>\n"
    )


def person_row(row: Any, media_url: str) -> str:
    return (
        f'\n\n<div class="person">{avatar(row[2], row[3], media_url)}<div class="who">'
        f'<a href="/u/{row[1]}"><bdi>{escape(row[2])}</bdi></a><br>'
        f'<span class="muted small">{row[1]}</span></div></div>\n'
    )


def avatar(name: str, picture: str | None, media_url: str) -> str:
    shown = escape(name.lstrip()[:1])
    if picture:
        shown = (
            f'<img src="{media_url}/{picture}/small.webp" alt="" width="96" height="96"'
            ' loading="lazy" decoding="async" fetchpriority="low">'
        )
    return f'<span class="avatar " aria-hidden="true">{shown}</span>'
