"""The statements of the rival, bench/bare.py, written by hand."""
# ruff: noqa: S608 (what is put into these texts is other texts of this page)

# From so many follows on, the newest of all posts are looked at first: so many.
MANY, NEWEST = 300, 2000

ME = """
SELECT person.id, (SELECT count(*) FROM (SELECT FROM pages_follow
    WHERE user_id = person.id AND accepted_at IS NOT NULL LIMIT %(many)s) followed)
FROM accounts_user person
WHERE person.id = %(me)s AND NOT person.is_blocked AND person.deletes_at IS NULL AND NOT EXISTS (
    SELECT FROM accounts_session WHERE id = %(session)s AND ended_at IS NOT NULL)"""
FOLLOWED = """EXISTS (SELECT FROM pages_follow
    WHERE user_id = %(me)s AND page_id = page.id AND accepted_at IS NOT NULL)"""
BLOCKED = """(page.blocked_for_good OR coalesce(page.unblock_date > now(), false) OR EXISTS (
    SELECT FROM accounts_user WHERE id = page.owner_id
        AND (is_blocked OR deletes_at IS NOT NULL)))"""
VISIBLE = f"""(page.owner_id = %(me)s
    OR NOT {BLOCKED} AND (NOT page.is_private OR {FOLLOWED}))"""
SHOWN = """
SELECT post.id, page.uuid, page.name, page.image_id, post.content, post.reply_to_id,
    post.likes_count, post.replies_count, EXISTS (SELECT FROM posts_like
        WHERE post_id = post.id AND user_id = %(me)s AND page_id = post.page_id),
    post.created_at, post.updated_at
FROM posts_post post JOIN pages_page page ON page.id = post.page_id
WHERE post.id = ANY(ARRAY({ids})) ORDER BY post.id DESC"""
# The newest post of each page in the order of time, and its page looked at until there are enough;
# then what is newer than the last of these.
FEED = SHOWN.format(
    ids=f"""
    WITH heads AS MATERIALIZED (
        SELECT nearest.page_id, nearest.head FROM (
            SELECT mine.page_id, (SELECT id FROM posts_post
                WHERE page_id = mine.page_id AND id < %(before)s ORDER BY id DESC LIMIT 1) AS head
            FROM (SELECT page_id FROM pages_follow
                    WHERE user_id = %(me)s AND accepted_at IS NOT NULL
                UNION SELECT id FROM pages_page WHERE owner_id = %(me)s) mine
            ORDER BY head DESC NULLS LAST OFFSET 0) nearest
        WHERE head IS NOT NULL AND EXISTS (
            SELECT FROM pages_page page WHERE page.id = nearest.page_id AND {VISIBLE})
        LIMIT %(n)s),
    least AS MATERIALIZED (SELECT CASE WHEN count(*) = %(n)s THEN
        (SELECT head FROM heads ORDER BY head LIMIT 1) END AS id FROM heads)
    SELECT newest.id FROM heads, LATERAL (SELECT id FROM posts_post
        WHERE page_id = heads.page_id AND id < %(before)s
            AND id >= coalesce((SELECT id FROM least), '00000000-0000-0000-0000-000000000000')
        ORDER BY id DESC LIMIT %(n)s) newest
    ORDER BY newest.id DESC LIMIT %(n)s"""
)
RECENT = SHOWN.format(
    ids=f"""
    SELECT recent.id FROM (SELECT id, page_id FROM posts_post
        WHERE id < %(before)s ORDER BY id DESC LIMIT {NEWEST}) recent
    WHERE EXISTS (SELECT FROM pages_page page WHERE page.id = recent.page_id
        AND (page.owner_id = %(me)s OR {FOLLOWED}) AND {VISIBLE})
    LIMIT %(n)s"""
)
POSTS = SHOWN.format(
    ids="SELECT id FROM posts_post WHERE page_id = %(page)s ORDER BY id DESC LIMIT %(n)s"
)
POST = SHOWN.format(
    ids=f"""SELECT post.id FROM posts_post post JOIN pages_page page ON page.id = post.page_id
    WHERE post.id = %(post)s AND {VISIBLE}"""
)
ANSWERS = SHOWN.format(
    ids=f"""SELECT post.id FROM posts_post post JOIN pages_page page ON page.id = post.page_id
    WHERE post.reply_to_id = %(post)s AND {VISIBLE} ORDER BY post.id LIMIT %(n)s"""
).removesuffix("DESC")
LIKES = f"""
SELECT post.id, page.uuid, page.name, page.image_id, post.content, post.reply_to_id,
    post.likes_count, post.replies_count, true, post.created_at, post.updated_at, liked.id
FROM posts_like liked JOIN posts_post post ON post.id = liked.post_id
JOIN pages_page page ON page.id = post.page_id
WHERE liked.user_id = %(me)s AND {VISIBLE} ORDER BY liked.id DESC LIMIT %(n)s"""
REPLIES = f"""
SELECT post.id, (SELECT count(*) FILTER (WHERE seen) FROM (
    SELECT {VISIBLE} AS seen FROM posts_post reply JOIN pages_page page ON page.id = reply.page_id
    WHERE reply.reply_to_id = post.id ORDER BY reply.id LIMIT 1000) replies)
FROM posts_post post WHERE post.id = ANY(%(ids)s)"""
PARENTS = f"""
SELECT post.id, page.uuid, page.name
FROM posts_post post JOIN pages_page page ON page.id = post.page_id
WHERE post.id = ANY(%(ids)s) AND {VISIBLE}"""
PAGE_COLUMNS = f"""page.id, page.uuid, page.name, page.description, page.image_id,
    owner.username, owner.title, owner.image_id,
    page.is_private, page.followers_count, page.posts_count, {BLOCKED},
    CASE WHEN page.unblock_date > now() AND NOT page.blocked_for_good AND NOT owner.is_blocked
        THEN page.unblock_date END,
    page.owner_id = %(me)s, (SELECT CASE WHEN accepted_at IS NULL THEN 'requested'
        ELSE 'following' END FROM pages_follow WHERE page_id = page.id AND user_id = %(me)s),
    page.created_at, page.updated_at, ARRAY(SELECT tag.name FROM pages_page_tags tagged
        JOIN pages_tag tag ON tag.id = tagged.tag_id WHERE tagged.page_id = page.id ORDER BY 1)"""
PAGE = f"""
SELECT {PAGE_COLUMNS} FROM pages_page page JOIN accounts_user owner ON owner.id = page.owner_id
WHERE lower(page.uuid) = lower(%(uuid)s)"""
USER_COLUMNS = """person.id, person.username, person.title, person.image_id, person.role,
    person.is_blocked, person.created_at"""
FOLLOWERS = f"""
SELECT {USER_COLUMNS}, follow.id
FROM pages_follow follow JOIN accounts_user person ON person.id = follow.user_id
WHERE follow.page_id = %(page)s AND accepted_at IS NOT NULL
    AND NOT person.is_blocked AND person.deletes_at IS NULL
ORDER BY follow.id DESC LIMIT %(n)s"""
REQUESTS = f"""
SELECT {USER_COLUMNS}, follow.id, follow.created_at
FROM pages_follow follow JOIN accounts_user person ON person.id = follow.user_id
WHERE follow.page_id = %(page)s AND accepted_at IS NULL
    AND NOT person.is_blocked AND person.deletes_at IS NULL
ORDER BY follow.id LIMIT %(n)s"""
# A write, its count and its event; the lock is the one that keeps a page's events in order.
EVENT = """
    lock AS (SELECT pg_advisory_xact_lock_shared(6663,
        ('x' || right(page_id::text, 2))::bit(8)::int %% 64) FROM counted),
    event AS (INSERT INTO events_outboxevent (id, type, body, occurred_at)
        SELECT %(event)s, %(type)s::text, jsonb_build_object('id', %(event)s::uuid, 'version', 2,
            'occurred_at', now(), 'actor', %(me)s::uuid, 'request_id', %(event)s::text,
            'type', %(type)s::text, 'payload', {payload}), now()
        FROM counted, (SELECT count(*) FROM lock) locked
        RETURNING pg_notify('innotter_outbox', ''))"""
LIKE = f"""
WITH post AS MATERIALIZED (
        SELECT post.id, post.page_id, post.likes_count
        FROM posts_post post JOIN pages_page page ON page.id = post.page_id
        WHERE post.id = %(post)s AND {VISIBLE} FOR NO KEY UPDATE OF post),
    changed AS ({{change}} RETURNING 1),
    counted AS (UPDATE posts_post SET likes_count = likes_count + %(more)s
        WHERE id = %(post)s AND EXISTS (SELECT FROM changed) RETURNING likes_count, page_id),
    {
    EVENT.format(
        payload='''jsonb_build_object('post_id', %(post)s::uuid, 'page_id', page_id,
            'user_id', %(me)s::uuid)'''
    )
}
SELECT coalesce((SELECT likes_count FROM counted), likes_count), (SELECT count(*) FROM event)
FROM post"""
LIKED = LIKE.format(
    change="""INSERT INTO posts_like (id, created_at, updated_at, page_id, post_id, user_id)
        SELECT uuidv7(), now(), now(), page_id, id, %(me)s FROM post ON CONFLICT DO NOTHING"""
)
UNLIKED = LIKE.format(
    change="""DELETE FROM posts_like USING post
        WHERE post_id = post.id AND posts_like.page_id = post.page_id AND user_id = %(me)s"""
)
WRITE = f"""
WITH page AS MATERIALIZED (
        SELECT page.* FROM pages_page page WHERE lower(uuid) = lower(%(uuid)s)
            AND owner_id = %(me)s AND NOT {BLOCKED} FOR NO KEY UPDATE OF page),
    written AS (INSERT INTO posts_post (id, created_at, updated_at, page_id, content, likes_count,
            replies_count)
        SELECT %(post)s, now(), now(), id, %(content)s, 0, 0 FROM page RETURNING created_at),
    counted AS (UPDATE pages_page SET posts_count = posts_count + 1
        WHERE id IN (SELECT id FROM page) RETURNING id AS page_id),
    {
    EVENT.format(
        payload='''jsonb_build_object('post_id', %(post)s::uuid, 'page_id', page_id,
            'reply_to', NULL)'''
    )
}
SELECT uuid, name, image_id, written.created_at, (SELECT count(*) FROM event) FROM page, written"""
FOLLOW = f"""
WITH page AS MATERIALIZED (
        SELECT page.id FROM pages_page page WHERE lower(uuid) = lower(%(uuid)s)
            AND owner_id <> %(me)s AND NOT is_private AND NOT {BLOCKED} FOR NO KEY UPDATE OF page),
    changed AS ({{change}} RETURNING 1),
    counted AS (UPDATE pages_page SET followers_count = followers_count + %(more)s
        WHERE id = (SELECT id FROM page) AND EXISTS (SELECT FROM changed) RETURNING id AS page_id),
    {EVENT.format(payload='''jsonb_build_object('page_id', page_id, 'user_id', %(me)s::uuid)''')}
SELECT (SELECT count(*) FROM event) FROM page"""
FOLLOWING = FOLLOW.format(
    change="""INSERT INTO pages_follow (id, created_at, updated_at, accepted_at, page_id, user_id)
        SELECT uuidv7(), now(), now(), now(), id, %(me)s FROM page ON CONFLICT DO NOTHING"""
)
UNFOLLOWING = FOLLOW.format(
    change="""DELETE FROM pages_follow USING page
        WHERE page_id = page.id AND user_id = %(me)s"""
)
