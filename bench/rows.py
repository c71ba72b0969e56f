"""An instance to measure: so many posts, and in proportion to them pages, users, likes and follows.

Few pages have most of the posts and followers, as it is everywhere; one in ten is private, some are
blocked. `reader20`, `reader100`, … follow so many pages; `author` owns `authors-page`.
"""

import psycopg

POSTS_A_PAGE = 50
FOLLOWED = (20, 100, 1000, 5000)
# In the order in which their rows need each other. `n` is a row's number, `%(pages)s` how many
# pages and users there are, `%(posts)s` how many posts. Popularity is the cube of chance.
STATEMENTS = [
    "SELECT setseed(0.5)",
    """CREATE TEMP TABLE person AS
    SELECT n, uuidv7(-interval '760 days' + n * interval '1 minute') AS id,
        CASE WHEN n <= cardinality(names) THEN names[n] ELSE 'person' || n END AS name
    FROM generate_series(1, %(pages)s) n, (SELECT %(names)s::text[] AS names) x""",
    """CREATE TEMP TABLE page AS
    SELECT n, uuidv7(-interval '740 days' + n * interval '1 minute') AS id,
        CASE n WHEN 100 THEN cardinality(%(names)s::text[]) ELSE 20 + n %% (%(pages)s - 20) END
            AS owner
    FROM generate_series(1, %(pages)s) n""",
    """CREATE TEMP TABLE post AS
    SELECT row_number() OVER (ORDER BY id) AS n, id, chance,
        1 + floor(%(pages)s * power(random(), 3))::int AS page
    FROM (SELECT uuidv7(-interval '1 minute' - random() * interval '730 days') AS id,
        random() AS chance FROM generate_series(1, %(posts)s)) made""",
    "CREATE UNIQUE INDEX ON post (n)",
    "ANALYZE person, page, post",
    """INSERT INTO accounts_user (id, created_at, updated_at, password, username, email, title,
        role, is_blocked, email_notifications, language)
    SELECT id, now(), now(), '', name, name || '@example.com', initcap(name), 'user',
        n > 20 AND n %% 200 = 0, 'off', 'en' FROM person""",
    """INSERT INTO pages_page (id, created_at, updated_at, uuid, name, description, is_private,
        blocked_for_good, followers_count, posts_count, owner_id)
    SELECT page.id, now(), now(),
        CASE page.n WHEN 100 THEN 'authors-page' ELSE 'page' || page.n END,
        'Page ' || page.n, repeat('words and things ', 1 + page.n %% 12), page.n %% 10 = 3,
        page.n %% 200 = 7, 0, 0, person.id
    FROM page JOIN person ON person.n = page.owner""",
    """INSERT INTO posts_post (id, created_at, updated_at, content, likes_count, replies_count,
        page_id, reply_to_id, reply_to_page_id)
    SELECT post.id, uuid_extract_timestamp(post.id), uuid_extract_timestamp(post.id),
        left(repeat('Fog over the water, туман над водой. ', 1 + post.n::int %% 5) || post.n, 180),
        0, 0, page.id, parent.id, its.id
    FROM post JOIN page ON page.n = post.page
    LEFT JOIN post parent ON post.chance < 0.02 AND parent.n = post.n - 1 - post.n %% 100
    LEFT JOIN page its ON its.n = parent.page
    ORDER BY post.n""",
    """INSERT INTO posts_like (id, created_at, updated_at, page_id, user_id, post_id)
    SELECT DISTINCT ON (post.id, person.id) uuidv7(), now(), now(), page.id, person.id, post.id
    FROM (SELECT 1 + floor(%(posts)s * sqrt(random()))::int AS post,
        1 + floor(%(pages)s * power(random(), 2))::int AS person
        FROM generate_series(1, %(posts)s / 2)) chosen
    JOIN post ON post.n = chosen.post JOIN page ON page.n = post.page
    JOIN person ON person.n = chosen.person""",
    """INSERT INTO pages_follow (id, created_at, updated_at, accepted_at, user_id, page_id)
    SELECT DISTINCT ON (person.id, page.id) uuidv7(), now(), now(), now(), person.id, page.id
    FROM (SELECT 21 + floor((%(pages)s - 20) * random())::int AS person,
        1 + floor(%(pages)s * power(random(), 2))::int AS page
        FROM generate_series(1, 15 * %(pages)s)) chosen
    JOIN page ON page.n = chosen.page AND page.owner <> chosen.person
    JOIN person ON person.n = chosen.person""",
    """INSERT INTO pages_follow (id, created_at, updated_at, accepted_at, user_id, page_id)
    SELECT uuidv7(), now(), now(), now(), person.id, chosen.id
    FROM unnest(%(followed)s::int[]) WITH ORDINALITY AS wanted (pages, n)
    JOIN person USING (n), LATERAL (SELECT id FROM page
        ORDER BY power(random(), 2) * page.n + wanted.n * 0 LIMIT wanted.pages) chosen""",
    """UPDATE posts_post SET likes_count = counted.likes FROM (
        SELECT post_id, count(*) AS likes FROM posts_like GROUP BY 1) counted
    WHERE post_id = posts_post.id""",
    """UPDATE posts_post SET replies_count = counted.replies FROM (
        SELECT reply_to_id AS parent, count(*) AS replies FROM posts_post GROUP BY 1) counted
    WHERE parent = posts_post.id""",
    """UPDATE pages_page SET posts_count = counted.posts FROM (
        SELECT page_id, count(*) AS posts FROM posts_post GROUP BY 1) counted
    WHERE page_id = pages_page.id""",
    """UPDATE pages_page SET followers_count = counted.followers FROM (
        SELECT page_id, count(*) AS followers FROM pages_follow GROUP BY 1) counted
    WHERE page_id = pages_page.id""",
    "VACUUM (ANALYZE)",
]


def fill(database_url: str, posts: int) -> None:
    """An empty, migrated database."""
    known = {
        "posts": posts,
        "pages": max(posts // POSTS_A_PAGE, 2 * FOLLOWED[0]),
        "followed": list(FOLLOWED),
        "names": [*(f"reader{count}" for count in FOLLOWED), "author"],
    }
    with psycopg.connect(
        database_url, autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as database:
        for statement in STATEMENTS:
            # Statements alone take no parameters, VACUUM least of all.
            wanted = known if "%" in statement else None
            database.execute(statement, wanted)  # type: ignore[arg-type]
