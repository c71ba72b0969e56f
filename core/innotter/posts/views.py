import json
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import current_user
from innotter.common.errors import DomainError, Invalid, NotFound
from innotter.common.permissions import AllowAny, IsAuthenticated
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, id_or_404
from innotter.pages.models import Page
from innotter.pages.permissions import PageOwner
from innotter.pages.selectors import PagePrivate, open_page_at
from innotter.pages.views import PageViewSet, own_page
from innotter.posts import selectors, services
from innotter.posts.models import Post
from innotter.posts.serializers import (
    EditedPostSerializer,
    LikeSerializer,
    NewPostSerializer,
    PostSerializer,
)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Chosen by you. Asking again with the same key gives the same post again, for "
    "24 hours at least.",
)


class WholePageViewSet(PageViewSet):
    """A page with all that is on it, as only this app knows it."""

    access: ClassVar = {**PageViewSet.access, "destroy": PageOwner}

    def destroy(self, request: Request, uuid: str) -> Response:
        """Delete your page with its posts and followers. Replies on other pages stay."""
        services.delete_page(page=own_page(self, uuid))
        return Response(status=HTTPStatus.NO_CONTENT)


class PagePostsViewSet(BaseViewSet):
    """The posts of one page."""

    access: ClassVar = {"list": AllowAny, "create": PageOwner}
    serializer_class = PostSerializer

    @refuses(PagePrivate)
    def list(self, request: Request, uuid: str) -> Response:
        """The page's posts, newest first."""
        page = open_page_at(uuid, request.user)
        return self.listed(selectors.posts_of(page, request.user, self.window()))

    @refuses(services.PageBlocked, services.KeyReused)
    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=NewPostSerializer,
        responses={201: PostSerializer},
    )
    def create(self, request: Request, uuid: str) -> Response:
        """A post, or a reply in the name of this page, by its owner."""
        page = own_page(self, uuid)
        body = self.body(NewPostSerializer)
        key = _idempotency_key(request)
        if key is None:
            post = self._write(page, **body)
        else:
            post = services.once(
                user=current_user(request),
                key=key,
                asked=json.dumps([page.id, body["content"], body.get("reply_to")], default=str),
                make=lambda: self._write(page, **body),
            )
        shown = selectors.post_at(post.id, request.user)
        return Response(self.get_serializer(shown).data, HTTPStatus.CREATED)

    def _write(self, page: Page, content: str, reply_to: UUID | None = None) -> Post:
        parent = self._parent(reply_to) if reply_to else None
        author = current_user(self.request)
        return services.create_post(author=author, page=page, content=content, reply_to=parent)

    def _parent(self, post_id: UUID) -> Post:
        try:
            return selectors.post_at(post_id, self.request.user)
        except DomainError as error:
            raise Invalid("reply_to", str(error)) from None


class PostViewSet(BaseViewSet):
    access: ClassVar = {
        "retrieve": AllowAny,
        "partial_update": PageOwner,
        "replies": AllowAny,
        "like": IsAuthenticated,
        "unlike": IsAuthenticated,
    }
    serializer_class = PostSerializer
    lookup_field = "id"
    lookup_value_regex = "[^/]+"

    @refuses(PagePrivate)
    def retrieve(self, request: Request, id: str) -> Response:
        """One post."""
        return Response(self.get_serializer(self._post(id)).data)

    @refuses(PagePrivate, services.PageBlocked)
    @extend_schema(request=EditedPostSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Other words for a post, by the owner of its page. `updated_at` tells of it."""
        post = self._governed_post(id)
        services.edit_post(post=post, **self.body(EditedPostSerializer))
        return Response(self.get_serializer(self._post(id)).data)

    @refuses(PagePrivate)
    @extend_schema(responses=PostSerializer(many=True))
    @action(detail=True)
    def replies(self, request: Request, id: str) -> Response:
        """The replies that you may see, oldest first."""
        post = self._post(id)
        return self.listed(selectors.replies_to(post, request.user, self.window()))

    @refuses(PagePrivate)
    @extend_schema(request=None, responses={200: LikeSerializer})
    @action(detail=True, methods=["post"])
    def like(self, request: Request, id: str) -> Response:
        """Like a post. Liking it again changes nothing."""
        count = services.like(user=current_user(request), post=self._post(id))
        return Response({"likes_count": count, "liked": True})

    @extend_schema(request=None, responses={200: LikeSerializer, 204: None})
    @like.mapping.delete
    def unlike(self, request: Request, id: str) -> Response:
        """Take your like back. Nothing changes where there is none. The answer is empty where the
        post is hidden from you, and where there is no such post."""
        post_id = id_or_404(id)
        with suppress(NotFound):
            services.unlike(user=current_user(request), post=selectors.any_post_at(post_id))
        post = selectors.posts_for(request.user).filter(id=post_id).first()
        if post is None:
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response({"likes_count": post.likes_count, "liked": False})

    def _post(self, id: str) -> Post:
        return selectors.post_at(id_or_404(id), self.request.user)

    def _governed_post(self, id: str) -> Post:
        """A post, for an action that depends on whose its page is."""
        post = self._post(id)
        self.check_object_permissions(self.request, post.page)
        return post


class OwnLikesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PostSerializer

    def list(self, request: Request) -> Response:
        """The posts that you like and may still see, the latest like first."""
        return self.listed(selectors.liked_by(current_user(request), self.window()))


def _idempotency_key(request: Request) -> str | None:
    key: Any = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch("[!-~]{1,255}", key):
        raise Invalid("Idempotency-Key", "1 to 255 visible ASCII characters are expected.")
    return key  # type: ignore[no-any-return]
