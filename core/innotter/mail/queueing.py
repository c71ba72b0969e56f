"""The deliveries that wait: made, moved, sent again, and deleted when they are long over."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.pruning import prune
from innotter.mail.models import Delivery, due_after, due_to
from innotter_contracts.ids import first_id_of

State = Delivery.State

# Followers whose deliveries are made in one transaction.
QUEUED_AT_ONCE = 5_000
# The mails of a post have their turn when the last of them would leave, had they SES to themselves:
# smaller crowds go ahead of larger ones, by at most so many seconds.
LONGEST_TURN = 3600

# The post's lock comes before the page's, which the new rows take: deleting the page takes
# both in that order. A post that is gone has no followers here.
QUEUE_DELIVERIES = """
    WITH post AS (
        SELECT id, page_id, created_at FROM posts_post WHERE id = %(post)s FOR KEY SHARE
    ), crowd AS (
        SELECT interval '1 second' * LEAST(
            %(longest_turn)s,
            page.followers_count / COALESCE((SELECT GREATEST(rate, 1) FROM mail_quota), 1)
        ) AS time
        FROM post JOIN pages_page AS page ON page.id = post.page_id
    ), daily AS (
        SELECT * FROM unnest(%(zones)s::text[], %(hours)s::integer[], %(moments)s::timestamptz[])
            AS daily (time_zone, hour, at)
    ), chunk AS (
        SELECT post.id AS post_id, follow.page_id, follow.user_id, follow.muted_at
        FROM post JOIN pages_follow AS follow ON follow.page_id = post.page_id
        WHERE follow.accepted_at <= post.created_at AND follow.user_id > %(after)s
        ORDER BY follow.user_id
        LIMIT %(limit)s
    ), queued AS (
        INSERT INTO mail_delivery
            (id, created_at, updated_at, page_id, post_id, recipient_id, due_at, turn_at)
        SELECT uuidv7(), %(now)s, %(now)s, chunk.page_id, chunk.post_id, reader.id,
               due.at, due.at + crowd.time
        FROM crowd, chunk JOIN accounts_user AS reader ON reader.id = chunk.user_id
             LEFT JOIN daily ON reader.email_notifications = 'daily'
                 AND daily.time_zone = reader.time_zone AND daily.hour = reader.digest_hour,
             LATERAL (
                 -- Who has chosen an hour just now is looked at again before the mail leaves.
                 SELECT CASE reader.email_notifications
                     WHEN 'hourly' THEN %(hourly)s ELSE COALESCE(daily.at, %(now)s)
                 END AS at
             ) AS due
        WHERE chunk.muted_at IS NULL
          AND NOT reader.is_blocked AND reader.deletes_at IS NULL
          AND reader.email IS NOT NULL
          AND reader.email_notifications <> 'off'
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM queued),
           (SELECT user_id FROM chunk ORDER BY user_id DESC LIMIT 1)
"""

# From one hour to the next in the index user_digest: a step for each, however many users have it.
DIGESTS = """
    WITH RECURSIVE digest AS (
        (SELECT time_zone, digest_hour FROM accounts_user WHERE email_notifications = 'daily'
         ORDER BY time_zone, digest_hour LIMIT 1)
        UNION ALL
        SELECT following.* FROM digest, LATERAL (
            SELECT time_zone, digest_hour FROM accounts_user
            WHERE email_notifications = 'daily'
              AND (time_zone, digest_hour) > (digest.time_zone, digest.digest_hour)
            ORDER BY time_zone, digest_hour LIMIT 1
        ) AS following
    )
    SELECT time_zone, digest_hour FROM digest
"""

BEFORE_ALL = UUID(int=0)

# A delivery says that its mail must not be sent again, for as long as a task about its post may
# still come back from a dead-letter queue.
KEPT = timedelta(days=60)


def queue_deliveries(post_id: UUID) -> int:
    """One delivery for each who followed the post's page when it was written and wants mail; how
    many are new.

    In chunks, each a transaction. It goes on where a run before it has ended; two at once do not
    harm each other.
    """
    last = Delivery.objects.filter(post=post_id).order_by("-recipient_id").first()
    after: UUID | None = last.recipient_id if last else BEFORE_ALL
    queued = 0
    while after is not None:
        new, after = _queue_chunk(post_id, after)
        queued += new
    return queued


def _queue_chunk(post_id: UUID, after: UUID) -> tuple[int, UUID | None]:
    """How many deliveries are new, and the last follower that was looked at, if there was one."""
    now = timezone.now()
    daily = _daily(now)
    with connection.cursor() as cursor:
        cursor.execute(
            QUEUE_DELIVERIES,
            {
                "post": post_id,
                "after": after,
                "limit": QUEUED_AT_ONCE,
                "now": now,
                "hourly": due_after(now, User.EmailNotifications.HOURLY),
                **daily,
                "longest_turn": LONGEST_TURN,
            },
        )
        new, last = cursor.fetchone()
    return int(new), last


def _daily(now: datetime) -> dict[str, list[Any]]:
    """The hours at which anybody gets daily mail, and when each comes next."""
    with connection.cursor() as cursor:
        cursor.execute(DIGESTS)
        pairs = cursor.fetchall()
    daily = User.EmailNotifications.DAILY
    return {
        "zones": [zone for zone, _ in pairs],
        "hours": [hour for _, hour in pairs],
        "moments": [due_after(now, daily, zone, hour) for zone, hour in pairs],
    }


@transaction.atomic
def reschedule(user_id: UUID) -> int:
    """What waits for a reader leaves by the window that they have chosen now; how many
    deliveries. A window that is over is no reason to wait."""
    reader = User.objects.filter(pk=user_id).first()
    if reader is None:
        return 0
    waiting = Delivery.objects.filter(recipient=reader, state=State.WAITING, attempts=0)
    moved = list(waiting.select_for_update(skip_locked=True).order_by("id"))
    for delivery in moved:
        delivery.move_to(due_to(reader, delivery.created_at))
    Delivery.objects.bulk_update(moved, ["due_at", "turn_at"], batch_size=1000)
    return len(moved)


def send_again(deliveries: Collection[UUID]) -> int:
    """Those of these that failed or whose outcome is unknown wait anew, as a person has decided;
    how many."""
    now = timezone.now()
    wrong = Delivery.objects.filter(id__in=deliveries, state__in=[State.FAILED, State.UNKNOWN])
    return wrong.update(
        state=State.WAITING, due_at=now, turn_at=now, attempts=0, claimed_until=None, updated_at=now
    )


def prune_deliveries() -> int:
    """Deletes what ended more than KEPT ago, oldest first; how many deliveries. What failed or has
    an unknown outcome is no exception: nobody has looked at it for so long."""
    until = timezone.now() - KEPT
    # Ids sort by their moment: what is too young is never looked at.
    old = Delivery.objects.filter(id__lt=first_id_of(until), updated_at__lt=until)
    return prune(old.exclude(state__in=[State.WAITING, State.SENDING]), by="id")
