"""An instance to measure: so many posts and likes, so many pages, users and follows.

Few pages have most of the posts and followers, as it is everywhere; one in ten is private, some are
blocked. `reader20`, `reader100`, … follow so many pages; `author` owns `authors-page`, and
`authors-private`, where people wait to follow. Nothing was posted on `silent-page` for half a year.
`flooding-page` posted more in one minute, a year ago, than a feed of 100 follows looks at, and none
of the readers follows it. Names and tags are of bench/names.py.

Ten million posts take minutes: rows are counted before they are written, written once, and indexed
when all are there.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import psycopg

from bench.names import names_of, words_of

POSTS_A_PAGE = 50
FOLLOWED = (20, 100, 1000, 5000)
TAGS = 1_000
# In the order in which their rows need each other. `n` is a row's number, `%(pages)s` how many
# pages and users there are, `%(posts)s` how many posts, `%(silent)s` and `%(flooding)s` the pages
# of these names. Popularity is the cube of chance.
CHOSEN = [
    "SELECT setseed(0.5)",
    "SET work_mem = '512MB'",
    "SET maintenance_work_mem = '1GB'",
    """CREATE TEMP TABLE person AS
    SELECT n, uuidv7(-interval '760 days' + n * interval '1 minute') AS id,
        CASE WHEN n <= cardinality(names) THEN names[n] ELSE 'person' || n END AS name
    FROM generate_series(1, %(pages)s) n, (SELECT %(names)s::text[] AS names) x""",
    """CREATE TEMP TABLE page AS
    SELECT n, uuidv7(-interval '740 days' + n * interval '1 minute') AS id,
        CASE WHEN n IN (100, 101) THEN cardinality(%(names)s::text[])
            ELSE 20 + n %% (%(pages)s - 20) END AS owner
    FROM generate_series(1, %(pages)s) n""",
    """CREATE TEMP TABLE called AS
    SELECT * FROM unnest(%(called)s::text[]) WITH ORDINALITY each (name, n)""",
    """CREATE TEMP TABLE post AS
    SELECT row_number() OVER (ORDER BY id) AS n, id, chance, page
    FROM (
        SELECT CASE page
                WHEN %(silent)s THEN uuidv7(-interval '180 days' - age * interval '550 days')
                WHEN %(flooding)s THEN uuidv7(-interval '365 days' - age * interval '1 minute')
                ELSE uuidv7(-interval '1 minute' - age * interval '730 days') END AS id,
            page, chance
        FROM (SELECT random() AS age, random() AS chance,
                CASE WHEN n <= %(flood)s THEN %(flooding)s
                    ELSE 1 + floor(%(pages)s * power(random(), 3))::int END AS page
            FROM generate_series(1, %(posts)s) n) made) dated""",
    """CREATE TEMP TABLE reply AS
    SELECT post.n, parent.n AS parent, parent.id AS parent_id, parent.page AS parent_page
    FROM post JOIN post parent ON parent.n = post.n - 1 - post.n %% 100
    WHERE post.chance < 0.02""",
    """CREATE TEMP TABLE liked AS
    SELECT DISTINCT post, person FROM (
        SELECT 1 + floor(%(posts)s * sqrt(random()))::int AS post,
            1 + floor(%(pages)s * power(random(), 2))::int AS person
        FROM generate_series(1, %(posts)s / 2)) chosen""",
    # The same follows of so many pages, however much was posted and liked.
    "SELECT setseed(0.5)",
    """CREATE TEMP TABLE followed AS
    SELECT DISTINCT person.n AS person, page.n AS page
    FROM (SELECT 21 + floor((%(pages)s - 20) * random())::int AS person,
        1 + floor(%(pages)s * power(random(), 2))::int AS page
        FROM generate_series(1, 15 * %(pages)s)) chosen
    JOIN page ON page.n = chosen.page AND page.owner <> chosen.person
    JOIN person ON person.n = chosen.person""",
    """INSERT INTO followed
    SELECT person.n, chosen.n
    FROM unnest(%(followed)s::int[]) WITH ORDINALITY AS wanted (pages, n)
    JOIN person USING (n), LATERAL (SELECT page.n FROM page WHERE page.n <> %(flooding)s
        ORDER BY page.n = %(silent)s DESC, power(random(), 2) * page.n + wanted.n * 0
        LIMIT wanted.pages) chosen""",
    "DELETE FROM followed WHERE page = 101",
    "ANALYZE person, page, called, post, reply, liked, followed",
]
WRITTEN = [
    """INSERT INTO accounts_user (id, created_at, updated_at, password, username, email, title,
        role, is_blocked, email_notifications, language)
    SELECT id, now(), now(), '', person.name, person.name || '@example.com', called.name, 'user',
        n > 20 AND n %% 200 = 0, 'off', 'en' FROM person JOIN called USING (n)""",
    """INSERT INTO pages_page (id, created_at, updated_at, uuid, name, description, is_private,
        blocked_for_good, followers_count, posts_count, owner_id)
    SELECT page.id, now(), now(),
        CASE page.n WHEN 100 THEN 'authors-page' WHEN 101 THEN 'authors-private'
            WHEN %(silent)s THEN 'silent-page' WHEN %(flooding)s THEN 'flooding-page'
            ELSE 'page' || page.n END,
        called.name, repeat('words and things ', 1 + page.n %% 12),
        page.n = 101 OR page.n %% 10 = 3, page.n %% 200 = 7,
        coalesce(followers.count, 0), coalesce(posts.count, 0), person.id
    FROM page JOIN person ON person.n = page.owner JOIN called ON called.n = page.n + %(pages)s
    LEFT JOIN (SELECT page, count(*) FROM post GROUP BY 1) posts ON posts.page = page.n
    LEFT JOIN (SELECT page, count(*) FROM followed GROUP BY 1) followers
        ON followers.page = page.n""",
    """INSERT INTO pages_tag (id, created_at, updated_at, name)
    SELECT uuidv7(), now(), now(), name FROM unnest(%(tags)s::text[]) name""",
    """INSERT INTO pages_page_tags (page_id, tag_id)
    SELECT DISTINCT page.id, tag.id
    FROM page, generate_series(1, 2) k, (SELECT id, row_number() OVER () AS n FROM pages_tag) tag
    WHERE tag.n = 1 + page.n * k * 31 %% cardinality(%(tags)s::text[])""",
    """INSERT INTO posts_post (id, created_at, updated_at, content, likes_count, replies_count,
        page_id, reply_to_id, reply_to_page_id)
    SELECT post.id, uuid_extract_timestamp(post.id), uuid_extract_timestamp(post.id),
        left(repeat('Fog over the water, туман над водой. ', 1 + post.n::int %% 5) || post.n, 180),
        coalesce(likes.count, 0), coalesce(replies.count, 0), page.id, reply.parent_id, its.id
    FROM post JOIN page ON page.n = post.page
    LEFT JOIN reply ON reply.n = post.n LEFT JOIN page its ON its.n = reply.parent_page
    LEFT JOIN (SELECT post, count(*) FROM liked GROUP BY 1) likes ON likes.post = post.n
    LEFT JOIN (SELECT parent, count(*) FROM reply GROUP BY 1) replies ON replies.parent = post.n
    ORDER BY post.n""",
    """INSERT INTO posts_like (id, created_at, updated_at, page_id, user_id, post_id)
    SELECT uuidv7(), now(), now(), page.id, person.id, post.id
    FROM liked JOIN post ON post.n = liked.post JOIN page ON page.n = post.page
    JOIN person ON person.n = liked.person""",
    """INSERT INTO pages_follow (id, created_at, updated_at, accepted_at, user_id, page_id)
    SELECT uuidv7(), now(), now(), now(), person.id, page.id
    FROM followed JOIN page ON page.n = followed.page JOIN person ON person.n = followed.person""",
    """INSERT INTO pages_follow (id, created_at, updated_at, user_id, page_id)
    SELECT uuidv7(), now(), now(), person.id, page.id
    FROM person, page WHERE person.n BETWEEN 21 AND 60 AND page.n = 101""",
]
TABLES = ["accounts_user", "pages_page", "posts_post", "posts_like", "pages_follow"]
# Their indexes and foreign keys, as statements that drop them and that make them. What is a key of
# others, or holds a constraint, stays.
FOREIGN_KEYS = """SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
            pg_get_constraintdef(oid))
    FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(%(tables)s::regclass[])"""
INDEXES = """SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    FROM pg_index WHERE indrelid = ANY(%(tables)s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""


def fill(database_url: str, posts: int, pages: int | None = None) -> None:
    """An empty, migrated database. Unless it is said, a page for POSTS_A_PAGE posts."""
    pages = pages or max(posts // POSTS_A_PAGE, 2 * FOLLOWED[0])
    rng = random.Random(1)  # noqa: S311 # data to look at, no secret
    words = words_of(rng)
    known = {
        "posts": posts,
        "pages": pages,
        "followed": list(FOLLOWED),
        "called": list(islice(names_of(rng, words), 2 * pages)),
        "tags": words[:TAGS],
        "names": [*(f"reader{count}" for count in FOLLOWED), "author"],
        # Public ones, of owners who are not blocked.
        "silent": pages // 2 + 1,
        "flooding": pages // 2 + 2,
        "flood": min(3_000, posts // 20),
    }
    with psycopg.connect(
        database_url, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as database:
        _run(database, CHOSEN, known)
        with _indexed_at_the_end(database):
            _run(database, WRITTEN, known)
        database.execute("VACUUM (ANALYZE)")


def _run(database: psycopg.Connection, statements: list[str], known: dict[str, object]) -> None:
    for statement in statements:
        # Statements alone take no parameters.
        wanted = known if "%" in statement else None
        database.execute(statement, wanted)  # type: ignore[arg-type]


@contextmanager
def _indexed_at_the_end(database: psycopg.Connection) -> Iterator[None]:
    pairs = [
        pair
        for query in (FOREIGN_KEYS, INDEXES)
        for pair in database.execute(query, {"tables": TABLES}).fetchall()
    ]
    for drop, _ in pairs:
        database.execute(drop)
    yield
    for _, make in reversed(pairs):
        database.execute(make)
