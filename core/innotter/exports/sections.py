"""What is in an archive: docs/export.md describes it to who opens one.

What is left out is in LEFT_OUT, with the reason; a test compares both with all models.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, QuerySet

from innotter.accounts.models import FormerUsername, Session, User
from innotter.pages.models import Follow, Page
from innotter.posts.models import Like, Post

# The number of the format: another one where a reader of this would be misled.
FORMAT = 1
# Rows of one file: it is made in memory.
ROWS_PER_FILE = 5_000


class Section(NamedTuple):
    """A folder of the archive: rows in the order of ids, each as a JSON object."""

    model: type[Model]
    rows: Callable[[User], QuerySet[Any]]
    written: Callable[[Any], dict[str, Any]]


def account(user: User) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": str(user.id),
        "username": user.username,
        "title": user.title,
        "email": user.email,
        "pending_email": user.pending_email or None,
        "role": user.role,
        "picture": user.image_id,
        "language": user.language,
        "time_zone": user.time_zone,
        "email_notifications": user.email_notifications,
        "digest_hour": user.digest_hour,
        "former_usernames": list(
            FormerUsername.objects.filter(user=user).values_list("username", flat=True)
        ),
        "created_at": _moment(user.created_at),
        "deletes_at": _moment(user.deletes_at),
    }


def _page(page: Page) -> dict[str, Any]:
    return {
        "id": str(page.id),
        "uuid": page.uuid,
        "name": page.name,
        "description": page.description,
        "tags": sorted(tag.name for tag in page.tags.all()),
        "picture": page.image_id,
        "is_private": page.is_private,
        "followers_count": page.followers_count,
        "posts_count": page.posts_count,
        "created_at": _moment(page.created_at),
        "updated_at": _moment(page.updated_at),
    }


def _post(post: Post) -> dict[str, Any]:
    return {
        "id": str(post.id),
        "page": str(post.page_id),
        "content": post.content,
        "reply_to": str(post.reply_to_id) if post.reply_to_id else None,
        "likes_count": post.likes_count,
        "replies_count": post.replies_count,
        "created_at": _moment(post.created_at),
        "updated_at": _moment(post.updated_at),
    }


def _like(like: Like) -> dict[str, Any]:
    return {"post": str(like.post_id), "created_at": _moment(like.created_at)}


def _follow(follow: Follow) -> dict[str, Any]:
    return {
        "page": str(follow.page_id),
        "uuid": follow.page.uuid,
        "requested_at": _moment(follow.created_at),
        "accepted_at": _moment(follow.accepted_at),
        "mail_stopped_at": _moment(follow.muted_at),
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "user_agent": session.user_agent,
        "created_at": _moment(session.created_at),
        "last_used_at": _moment(session.last_used_at),
        "ended_at": _moment(session.ended_at),
    }


SECTIONS: dict[str, Section] = {
    "pages": Section(
        Page, lambda user: Page.objects.filter(owner=user).prefetch_related("tags"), _page
    ),
    "posts": Section(Post, lambda user: Post.objects.filter(page__owner=user), _post),
    "likes": Section(Like, lambda user: Like.objects.filter(user=user), _like),
    "follows": Section(
        Follow, lambda user: Follow.objects.filter(user=user).select_related("page"), _follow
    ),
    "sessions": Section(Session, lambda user: Session.objects.filter(user=user), _session),
}


def rows_of(name: str, user: User, after: UUID | None, limit: int) -> list[Any]:
    rows = SECTIONS[name].rows(user).order_by("id")
    return list((rows.filter(id__gt=after) if after else rows)[:limit])


def pictures_of(user: User) -> list[str]:
    """The names of the pictures of the account and its pages, in one order."""
    pages = Page.objects.filter(owner=user, image__isnull=False)
    names = {user.image_id, *pages.values_list("image_id", flat=True)}
    return sorted(str(name) for name in names if name)


def total_of(user: User) -> int:
    """About how many rows and pictures there are; the posts by their stored counts."""
    posts = sum(Page.objects.filter(owner=user).values_list("posts_count", flat=True))
    others = [name for name in SECTIONS if name != "posts"]
    counted = sum(SECTIONS[name].rows(user).count() for name in others)
    return posts + counted + len(pictures_of(user)) + 1


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def lines(name: str, rows: list[Any]) -> Iterator[dict[str, Any]]:
    return map(SECTIONS[name].written, rows)
