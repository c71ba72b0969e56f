import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.dispatch import Signal
from django.utils import timezone

from innotter.accounts.actions import action
from innotter.accounts.models import User
from innotter.common.compiled import compiled
from innotter.common.database import insertion
from innotter.common.errors import Conflict, DomainError, Invalid, NotFound
from innotter.common.pruning import prune
from innotter.common.text import visible_text
from innotter.events.services import record
from innotter.pages.locks import lock
from innotter.pages.locks import locked as locked_page
from innotter.pages.models import Page
from innotter.pages.policies import is_owner, require_owner, require_readable
from innotter.pages.selectors import PagePrivate
from innotter.posts import statements
from innotter.posts.models import MAX_LENGTH, IdempotencyKey, Like, Post
from innotter.posts.policies import (
    require_deletable,
    require_editable,
    require_likeable,
    require_writable,
)
from innotter.posts.selectors import WrongCount, counted, post_at, posts_among, with_context
from innotter_contracts.events import (
    PostAndUser,
    PostCreated,
    PostDeleted,
    PostLiked,
    PostRef,
    PostUnliked,
)
from innotter_contracts.ids import new_id

# Kept for at least as long.
KEY_LIFETIME = timedelta(hours=24)


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for another request."


# Sent by delete_post() in its transaction, with `post`, `actor` and `reason`, where a moderator
# deletes what is on another's page.
post_moderation = Signal()


@action
def create_post(
    *,
    actor: User,
    page: Page | str,
    content: str,
    reply_to: Post | UUID | None = None,
    idempotency_key: str | None = None,
) -> Post:
    """A post on the actor's page, or a reply in its name to a post that the actor may see. Asking
    again with the same key gives the same post again, for KEY_LIFETIME at least.

    Raises NotFound, Forbidden, PageBlocked, Invalid, KeyReused.
    """
    parent_id = _id(reply_to) if reply_to else None
    with transaction.atomic():
        page = locked_page(page)
        make = partial(_create_post, actor, page, content=content, reply_to=parent_id)
        if idempotency_key is None:
            return make(new_id())
        require_owner(actor, page)
        # All that makes the post, so that a new field can't be left out.
        asked = json.dumps([page.id, *make.keywords.values()], default=str)
        return _create_idempotently(actor, idempotency_key, asked, make)


@action
@transaction.atomic
def edit_post(*, actor: User, post: Post | UUID, content: str) -> Post:
    """Other words for a post. Raises NotFound, PagePrivate, Forbidden, PageBlocked, Invalid."""
    page = _locked_page_of(post)
    require_editable(actor, page)
    post = _locked(_id(post), actor)
    content = visible_text("content", content, MAX_LENGTH)
    if content != post.content:
        post.content = content
        post.save(update_fields=["content", "updated_at"])
    return post


@action
@transaction.atomic
def delete_post(*, actor: User, post: Post | UUID, reason: str = "") -> None:
    """Deletes a post with its likes. Replies to it stay. What a moderator deletes on another's
    page is logged, with the reason. Raises NotFound, PagePrivate, Forbidden."""
    page = _locked_page_of(post)
    require_deletable(actor, page)
    this = Post.objects.filter(pk=_id(post))
    locked = lock_posts(Q(pk=_id(post)) | Q(pk__in=this.values("reply_to")))
    found = next((each for each in locked if each.pk == _id(post)), None)
    if found is None:
        raise NotFound
    found.page = page
    if not is_owner(actor, page):
        post_moderation.send(Post, post=found, actor=actor, reason=reason)
    record(deletion_of(found, actor=actor))
    Page.objects.filter(pk=page.pk).update(posts_count=F("posts_count") - 1)
    if found.reply_to_id:
        Post.objects.filter(pk=found.reply_to_id).update(replies_count=F("replies_count") - 1)
    found.delete()


def delete_posts_of(*, page: Page, actor: User, **_: object) -> None:
    """What delete_page() asks for, with the page locked: its posts go, in as many statements for
    a million of them as for one. Replies on other pages stay."""
    replies = Post.objects.filter(page=page, reply_to__isnull=False)
    parents = Post.objects.filter(pk__in=replies.values("reply_to"))
    which = Post.objects.filter(Q(page=page) | Q(pk__in=parents.values("pk")))
    list(which.select_for_update().order_by("id").values_list("pk", flat=True))
    record(*(deletion_of(reply, actor=actor) for reply in replies.order_by("id")))
    gone = replies.filter(reply_to=OuterRef("pk")).values("reply_to").values(count=Count("pk"))
    parents.exclude(page=page).update(replies_count=F("replies_count") - Subquery(gone))
    with connection.cursor() as cursor:
        # Django would load each post to look for what hangs on it. All of that names the page
        # too, and goes with the page.
        cursor.execute("DELETE FROM posts_post WHERE page_id = %s", [page.pk])


@action
@transaction.atomic
def like(*, actor: User, post: Post | UUID) -> Post:
    """Likes a post. Repeating it changes nothing. The post with its `viewer_liked`. Raises
    NotFound, PagePrivate."""
    post = _locked_bare(_id(post))
    require_likeable(actor, post.page)
    new = insertion(_like_of(actor, post))
    event = PostLiked(actor=actor.id, payload=_both(post, actor))
    return _with_likes(post, statements.like(new, event), is_liked=True)


@action
@transaction.atomic
def unlike(*, actor: User, post: Post | UUID) -> Post | None:
    """Takes the like back, if there is one. The post, where there is one that the actor may see:
    nothing is told of others (decision 44)."""
    try:
        post = _locked_bare(_id(post))
    except NotFound:
        return None
    event = PostUnliked(actor=actor.id, payload=_both(post, actor))
    likes = statements.unlike(_like_of(actor, post), event)
    with suppress(NotFound, PagePrivate):
        require_readable(actor, post.page)
        return _with_likes(post, likes, is_liked=False)
    return None


@transaction.atomic
def correct_count(*, wrong: WrongCount) -> None:
    """Counts anew under the row's lock, where nobody else changes the number; nothing where the
    row is gone."""
    row = wrong.row
    # Waits for a count under way: the statement after it sees its outcome.
    type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    counted(wrong.field).filter(pk=row.pk).update(**{wrong.field: F("truth")})


def prune_keys() -> int:
    """Deletes keys that nobody asks with again; how many."""
    over = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEY_LIFETIME)
    return prune(over, by="created_at")


def _create_idempotently(user: User, key: str, asked: str, make: Callable[[UUID], Post]) -> Post:
    """The post that `make` made when this user first asked for this under this key.

    A request with the key at the same time waits for the first. What `make` raises leaves the
    key unused. Raises KeyReused.
    """
    fingerprint = sha256(asked.encode()).hexdigest()
    new_post_id = new_id()
    claim = IdempotencyKey(user=user, key=key, fingerprint=fingerprint, post_id=new_post_id)
    kept = statements.claim(insertion(claim))
    if kept.fingerprint != fingerprint:
        raise KeyReused
    if kept.post_id == new_post_id:
        return make(new_post_id)
    for post in posts_among([kept.post_id], user):
        return post
    raise KeyReused("The post that was made under this Idempotency-Key is deleted.")


def _create_post(actor: User, page: Page, id: UUID, *, content: str, reply_to: UUID | None) -> Post:
    """On a page that is locked."""
    require_writable(actor, page)
    parent = _parent(reply_to, actor) if reply_to else None
    post = Post(
        id=id,
        page=page,
        content=visible_text("content", content, MAX_LENGTH),
        reply_to=parent,
        reply_to_page_id=parent.page_id if parent else None,
    )
    new = insertion(post)
    ref = PostRef(post_id=parent.id, page_id=parent.page_id) if parent else None
    payload = PostCreated.Payload(post_id=post.id, page_id=page.id, reply_to=ref)
    event = PostCreated(actor=actor.id, occurred_at=post.created_at, payload=payload)
    statements.create(post, new, event)
    post.viewer_liked, post.visible_replies, post.parent_visible = False, 0, True
    return post


def _parent(post_id: UUID, actor: User) -> Post:
    try:
        return post_at(post_id, actor)
    except DomainError as error:
        raise Invalid("reply_to", str(error)) from None


def _id(post: Post | UUID) -> UUID:
    return post.pk if isinstance(post, Post) else post


def _locked_page_of(post: Post | UUID) -> Page:
    """The post's page as it is now. Raises NotFound."""
    return lock(Page.objects.filter(pk__in=Post.objects.filter(pk=_id(post)).values("page")))


def _locked(post_id: UUID, viewer: User) -> Post:
    """The post as it is now, with all that is shown of it. Concurrent changes of its likes wait
    here. Raises NotFound."""
    found = _to_be_edited(post_id, viewer)
    if not found:
        raise NotFound
    return found[0]


@compiled
def _to_be_edited(post_id: UUID, viewer: User) -> QuerySet[Post]:
    rows = Post.objects.select_for_update(no_key=True, of=("self",)).filter(pk=post_id)
    return with_context(rows, viewer)


def _locked_bare(post_id: UUID) -> Post:
    """The same, with nothing but its page with its owner. Raises NotFound."""
    found = _to_be_liked(post_id)
    if not found:
        raise NotFound
    return found[0]


@compiled
def _to_be_liked(post_id: UUID) -> QuerySet[Post]:
    rows = Post.objects.select_for_update(no_key=True, of=("self",)).filter(pk=post_id)
    return rows.select_related("page__owner")


def lock_posts(which: Q) -> list[Post]:
    """In the order of their ids, as in every place that locks several. Concurrent likes, replies
    and mails about one of them end before this returns."""
    return list(Post.objects.select_for_update().filter(which).order_by("id"))


def deletion_of(post: Post, *, actor: User) -> PostDeleted:
    """The event of a post that is locked."""
    parent = None
    if post.reply_to_id and post.reply_to_page_id:
        parent = PostRef(post_id=post.reply_to_id, page_id=post.reply_to_page_id)
    payload = PostDeleted.Payload(
        post_id=post.id, page_id=post.page_id, reply_to=parent, likes_count=post.likes_count
    )
    return PostDeleted(actor=actor.id, payload=payload)


def _like_of(user: User, post: Post) -> Like:
    return Like(page_id=post.page_id, post_id=post.pk, user_id=user.pk)


def _with_likes(post: Post, count: int | None, *, is_liked: bool) -> Post:
    """`count` is None where nothing has changed: the number of the locked row is the truth."""
    post.viewer_liked = is_liked
    if count is not None:
        post.likes_count = count
    return post


def _both(post: Post, user: User) -> PostAndUser:
    return PostAndUser(post_id=post.id, page_id=post.page_id, user_id=user.id)
