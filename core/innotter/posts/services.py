import unicodedata

from django.db import transaction
from django.db.models import F

from innotter.accounts.models import User
from innotter.common.errors import Forbidden, Invalid, NotFound
from innotter.events.services import record
from innotter.pages.models import Page
from innotter.posts.models import MAX_LENGTH, Like, Post
from innotter_contracts.events import PostAndUser, PostCreated, PostLiked, PostRef, PostUnliked


class PageBlocked(Forbidden):
    code = "page_blocked"
    detail = "This page is blocked: nothing can be written on it."


@transaction.atomic
def create_post(*, author: User, page: Page, content: str, reply_to: Post | None = None) -> Post:
    """A post on the author's page. `reply_to` is a post that the author may see.

    Raises PageBlocked, Invalid.
    """
    page = (
        Page.objects.select_for_update(no_key=True, of=("self",))
        .select_related("owner")
        .get(pk=page.pk)
    )
    if page.is_blocked:
        raise PageBlocked
    post = Post.objects.create(
        page=page,
        content=_written(content),
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


def _written(content: str) -> str:
    """The content in NFC, otherwise untouched. Raises Invalid for what no reader would see."""
    content = unicodedata.normalize("NFC", content)
    if all(unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") for c in content):
        raise Invalid("content", "A post cannot be blank.")
    if len(content) > MAX_LENGTH:
        raise Invalid("content", f"A post has at most {MAX_LENGTH} characters.")
    return content


def _locked(post: Post) -> Post:
    """The post as it is now. Whoever changes its likes waits here for the others."""
    locked = Post.objects.select_for_update(no_key=True).filter(pk=post.pk).first()
    if locked is None:
        raise NotFound
    return locked


def _count_likes(post: Post, change: int) -> None:
    """Under the post's lock, so that the number in hand is the truth."""
    post.likes_count += change
    post.save(update_fields=["likes_count"])


def _both(post: Post, user: User) -> PostAndUser:
    return PostAndUser(post_id=post.id, page_id=post.page_id, user_id=user.id)
