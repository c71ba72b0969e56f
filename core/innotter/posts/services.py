from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.errors import Conflict, Forbidden, NotFound
from innotter.common.text import visible_text
from innotter.events.services import record
from innotter.pages.models import Page
from innotter.pages.services import locked as locked_page
from innotter.posts.models import MAX_LENGTH, IdempotencyKey, Like, Post
from innotter.posts.selectors import WrongCount, counted
from innotter_contracts.events import (
    PageDeleted,
    PostAndUser,
    PostCreated,
    PostDeleted,
    PostLiked,
    PostRef,
    PostUnliked,
)

# Kept for at least as long; and how many of those that are older one call clears away.
KEY_LIFETIME = timedelta(hours=24)
KEYS_CLEARED = 100


class PageBlocked(Forbidden):
    code = "page_blocked"
    detail = "This page is blocked: nothing can be written on it."


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    detail = "You have used this Idempotency-Key for something else."


@transaction.atomic
def create_post(*, author: User, page: Page, content: str, reply_to: Post | None = None) -> Post:
    """A post on the author's page. `reply_to` is a post that the author may see.

    Raises PageBlocked, Invalid.
    """
    page = _locked_open_page(page)
    post = Post.objects.create(
        page=page,
        content=visible_text("content", content, MAX_LENGTH),
        reply_to=reply_to,
        reply_to_page_id=reply_to.page_id if reply_to else None,
    )
    Page.objects.filter(pk=page.pk).update(posts_count=F("posts_count") + 1)
    parent = None
    if reply_to is not None:
        Post.objects.filter(pk=reply_to.pk).update(replies_count=F("replies_count") + 1)
        parent = PostRef(post_id=reply_to.id, page_id=reply_to.page_id)
    payload = PostCreated.Payload(post_id=post.id, page_id=page.id, reply_to=parent)
    record(PostCreated(actor=author.id, occurred_at=post.created_at, payload=payload))
    return post


def once(*, user: User, key: str, asked: str, make: Callable[[], Post]) -> Post:
    """The post that `make` made when this user first asked for this under this key.

    Whoever comes with the key at the same time waits for the first. What `make` raises leaves
    the key unused. Raises KeyReused.
    """
    _clear_old_keys()
    fingerprint = sha256(asked.encode()).hexdigest()
    with transaction.atomic():
        claim = IdempotencyKey(user=user, key=key, fingerprint=fingerprint)
        # Locks the row, be it new or old; waits for whoever has just written it.
        IdempotencyKey.objects.bulk_create(
            [claim],
            update_conflicts=True,
            unique_fields=["user", "key"],
            update_fields=["key"],
        )
        kept = IdempotencyKey.objects.get(user=user, key=key)
        if kept.fingerprint != fingerprint:
            raise KeyReused
        if kept.post_id is None:
            kept.post = make()
            kept.save(update_fields=["post"])
            return kept.post
        post = Post.objects.filter(pk=kept.post_id).first()
        if post is None:
            raise KeyReused("The post that was made under this Idempotency-Key is deleted.")
        return post


@transaction.atomic
def edit_post(*, post: Post, content: str) -> None:
    """Other words for a post. Raises PageBlocked, Invalid, and NotFound for one that is gone."""
    _locked_open_page(post.page)
    post = _locked(post)
    content = visible_text("content", content, MAX_LENGTH)
    if content != post.content:
        post.content = content
        post.save(update_fields=["content", "updated_at"])


@transaction.atomic
def delete_post(*, actor: User, post: Post) -> None:
    """Deletes a post with its likes. Replies to it stay. Raises NotFound for one that is gone."""
    page = locked_page(post.page)
    _lock_posts(Q(pk=post.pk) | Q(pk=post.reply_to_id))
    found = Post.objects.filter(pk=post.pk).first()
    if found is None:
        raise NotFound
    record(_deleted(found, actor=actor))
    Page.objects.filter(pk=page.pk).update(posts_count=F("posts_count") - 1)
    if found.reply_to_id:
        Post.objects.filter(pk=found.reply_to_id).update(replies_count=F("replies_count") - 1)
    found.delete()


@transaction.atomic
def delete_page(*, page: Page) -> None:
    """Deletes a page with all that is on it, as its owner, in as many statements for a million
    posts as for one. Replies on other pages stay."""
    page = locked_page(page)
    replies = Post.objects.filter(page=page, reply_to__isnull=False)
    parents = Post.objects.filter(pk__in=replies.values("reply_to"))
    _lock_posts(Q(page=page) | Q(pk__in=parents.values("pk")))
    record(*(_deleted(reply, actor=page.owner) for reply in replies.order_by("id")))
    gone = replies.filter(reply_to=OuterRef("pk")).values("reply_to").values(count=Count("pk"))
    parents.exclude(page=page).update(replies_count=F("replies_count") - Subquery(gone))
    with connection.cursor() as cursor:
        # Django would load each post to look for what hangs on it. All of that names the page
        # too, and goes with the page.
        cursor.execute("DELETE FROM posts_post WHERE page_id = %s", [page.pk])
    record(PageDeleted(actor=page.owner_id, payload=PageDeleted.Payload(page_id=page.pk)))
    page.delete()


@transaction.atomic
def like(*, user: User, post: Post) -> int:
    """Likes a post once, however often it is called; its likes after that."""
    post = _locked(post)
    _, created = Like.objects.get_or_create(page_id=post.page_id, post=post, user=user)
    if created:
        _count_likes(post, +1)
        record(PostLiked(actor=user.id, payload=_both(post, user)))
    return post.likes_count


@transaction.atomic
def unlike(*, user: User, post: Post) -> int:
    """Takes the like back, if there is one; the post's likes after that."""
    post = _locked(post)
    deleted, _ = Like.objects.filter(page_id=post.page_id, post=post, user=user).delete()
    if deleted:
        _count_likes(post, -1)
        record(PostUnliked(actor=user.id, payload=_both(post, user)))
    return post.likes_count


@transaction.atomic
def correct_count(*, wrong: WrongCount) -> None:
    """Counts anew under the row's lock, where nobody else changes the number; nothing where the
    row is gone."""
    row = wrong.row
    # Waits for whoever counts now: the statement after it sees what they did.
    type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    counted(wrong.field).filter(pk=row.pk).update(**{wrong.field: F("truth")})


def _clear_old_keys() -> None:
    """In a transaction of its own, and without waiting: it can stand in nobody's way."""
    with transaction.atomic():
        old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEY_LIFETIME)
        some = old.select_for_update(skip_locked=True).order_by("created_at")[:KEYS_CLEARED]
        IdempotencyKey.objects.filter(pk__in=some.values("pk")).delete()


def _locked_open_page(page: Page) -> Page:
    """The page as it is now, if it may be written on. Raises PageBlocked."""
    page = locked_page(page)
    if page.is_blocked:
        raise PageBlocked
    return page


def _locked(post: Post) -> Post:
    """The post as it is now. Whoever changes its likes waits here for the others."""
    locked = Post.objects.select_for_update(no_key=True).filter(pk=post.pk).first()
    if locked is None:
        raise NotFound
    return locked


def _lock_posts(which: Q) -> None:
    """In the order of their ids, as everybody does who locks several. Whoever likes, answers or
    mails one of them is through before this returns."""
    posts = Post.objects.select_for_update().filter(which).order_by("id")
    list(posts.values_list("pk", flat=True))


def _deleted(post: Post, *, actor: User) -> PostDeleted:
    parent = None
    if post.reply_to_id and post.reply_to_page_id:
        parent = PostRef(post_id=post.reply_to_id, page_id=post.reply_to_page_id)
    payload = PostDeleted.Payload(
        post_id=post.id, page_id=post.page_id, reply_to=parent, likes_count=post.likes_count
    )
    return PostDeleted(actor=actor.id, payload=payload)


def _count_likes(post: Post, change: int) -> None:
    """Under the post's lock, so that the number in hand is the truth."""
    post.likes_count += change
    post.save(update_fields=["likes_count"])


def _both(post: Post, user: User) -> PostAndUser:
    return PostAndUser(post_id=post.id, page_id=post.page_id, user_id=user.id)
