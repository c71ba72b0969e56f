"""Writes that are one statement each: the row, the counts and, where it is known before, the event
of it, or nothing.

A service calls them with the page locked. What is there already decides in the statement itself,
which sees what was committed while the service waited for the lock.
"""

from innotter.accounts.models import User
from innotter.common.compiled import fetched
from innotter.common.database import Insertion
from innotter.events.services import RECORD, outbox
from innotter.pages.models import Page
from innotter_contracts.events import FollowRequested, PageFollowed

# The join is for the order: all locks of rows come before those that record_events() takes.
FOLLOW = """
    WITH followed AS (
        {insert} ON CONFLICT (page_id, user_id) DO NOTHING RETURNING page_id, accepted_at
    ), counted AS (
        UPDATE pages_page SET followers_count = followers_count + 1 FROM followed
        WHERE id = followed.page_id AND accepted_at IS NOT NULL RETURNING id
    )
    SELECT {record} FROM followed LEFT JOIN counted ON true
"""
END_FOLLOW = """
    WITH ended AS (
        DELETE FROM pages_follow
        WHERE page_id = %s AND user_id = %s AND (accepted_at IS NOT NULL OR %s)
        RETURNING page_id, accepted_at
    ), counted AS (
        UPDATE pages_page SET followers_count = followers_count - 1 FROM ended
        WHERE id = ended.page_id AND accepted_at IS NOT NULL
    )
    SELECT accepted_at IS NOT NULL FROM ended
"""


def follow(new: Insertion, event: PageFollowed | FollowRequested) -> bool:
    """A follow, which is counted, or a request; False where there is one of either already."""
    return bool(
        fetched(FOLLOW.format(insert=new.sql, record=RECORD), [*new.values, *outbox(event)])
    )


def end_follow(page: Page, user: User, *, request_too: bool) -> bool | None:
    """Whether it was a follow, and no request; None where there was nothing to end."""
    ended = fetched(END_FOLLOW, [page.pk, user.pk, request_too])
    return ended[0][0] if ended else None
