"""What goes of posts and likes with an account, a part at a time; see the app `deletion`."""

from collections import Counter
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from innotter.accounts.models import User
from innotter.events.services import record
from innotter.pages.locks import lock
from innotter.pages.models import Page
from innotter.posts.models import Like, Post
from innotter.posts.services import deletion_of, lock_posts
from innotter_contracts.events import PostAndUser, PostUnliked


@transaction.atomic
def remove_some_posts(*, owner: User, at_once: int) -> int:
    """Of one of their pages, the oldest first; how many. Replies to them stay."""
    posts = Post.objects.filter(page=OuterRef("pk"))
    page = Page.objects.filter(Exists(posts), owner=owner).order_by("id").first()
    if page is None:
        return 0
    page = lock(Page.objects.filter(pk=page.pk))
    oldest = Post.objects.filter(page=page).order_by("id").values_list("pk", flat=True)
    some = list(oldest[:at_once])
    parents = Post.objects.filter(pk__in=some, reply_to__isnull=False).values("reply_to")
    locked = lock_posts(Q(pk__in=some) | Q(pk__in=parents))
    gone = [post for post in locked if post.pk in set(some)]
    record(*(deletion_of(post, actor=owner) for post in gone))
    Page.objects.filter(pk=page.pk).update(posts_count=F("posts_count") - len(gone))
    _count_back_replies(Counter(post.reply_to_id for post in gone if post.reply_to_id))
    Post.objects.filter(pk__in=some).delete()
    return len(gone)


@transaction.atomic
def take_back_some_likes(*, user: User, at_once: int) -> int:
    """How many."""
    some = Like.objects.filter(user=user).order_by("-id").values_list("post_id", flat=True)
    posts = Post.objects.filter(pk__in=list(some[:at_once])).order_by("pk")
    locked = [post.pk for post in posts.select_for_update(no_key=True)]
    likes = list(Like.objects.filter(user=user, post__in=locked))
    Like.objects.filter(pk__in=[like.pk for like in likes]).delete()
    liked = [like.post_id for like in likes]
    Post.objects.filter(pk__in=liked).update(likes_count=F("likes_count") - 1)
    record(*(_taken_back(like) for like in likes))
    return len(likes)


def _count_back_replies(replies: Counter[UUID]) -> None:
    for parent, count in replies.items():
        Post.objects.filter(pk=parent).update(replies_count=F("replies_count") - count)


def _taken_back(like: Like) -> PostUnliked:
    payload = PostAndUser(post_id=like.post_id, page_id=like.page_id, user_id=like.user_id)
    return PostUnliked(actor=like.user_id, payload=payload)
