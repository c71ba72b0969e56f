from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, QuerySet, Value

from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.pages.models import Page
from innotter.pages.selectors import PagePrivate, Viewer, findable_by, visible_to
from innotter.posts.models import Like, Post


def posts_for(viewer: Viewer) -> QuerySet[Post]:
    """The posts that the viewer may see, with all that a post shows."""
    return with_context(Post.objects.filter(visible_to(viewer, "page__")), viewer)


def with_context(posts: QuerySet[Post], viewer: Viewer) -> QuerySet[Post]:
    """`viewer_liked`, and `parent_visible`: whether the post that this one answers may be named."""
    liked: Exists | Value = Value(False)
    if isinstance(viewer, User):
        liked = Exists(Like.objects.filter(post=OuterRef("pk"), page=OuterRef("page"), user=viewer))
    parent_visible = ExpressionWrapper(
        visible_to(viewer, "reply_to__page__"), output_field=BooleanField()
    )
    return posts.select_related("page", "reply_to__page").annotate(
        viewer_liked=liked, parent_visible=parent_visible
    )


def post_at(post_id: UUID, viewer: Viewer) -> Post:
    """Raises NotFound; PagePrivate where the page may be found and its posts may not be read."""
    post = posts_for(viewer).filter(id=post_id).first()
    if post is not None:
        return post
    if Post.objects.filter(findable_by(viewer, "page__"), id=post_id).exists():
        raise PagePrivate
    raise NotFound


def posts_of(page: Page, viewer: Viewer) -> QuerySet[Post]:
    return posts_for(viewer).filter(page=page)


def replies_to(post: Post, viewer: Viewer) -> QuerySet[Post]:
    return posts_for(viewer).filter(reply_to=post)
