import re
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import current_user
from innotter.common.errors import Forbidden, Invalid
from innotter.common.rendering import shows
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, id_or_404
from innotter.pages.selectors import PagePrivate, page_at
from innotter.pages.views import require_owner_of
from innotter.posts import policies, selectors, services
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


class PagePostsViewSet(BaseViewSet):
    """The posts of one page."""

    access: ClassVar = {"list": AllowAny, "create": IsAuthenticated}
    serializer_class = PostSerializer

    @refuses(PagePrivate)
    def list(self, request: Request, uuid: str) -> HttpResponse:
        """The page's posts, newest first."""
        return self.listed(selectors.posts_of(uuid, request.user, self.window()))

    @refuses(Forbidden, policies.PageBlocked, services.KeyReused)
    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=NewPostSerializer,
        responses={201: PostSerializer},
    )
    def create(self, request: Request, uuid: str) -> HttpResponse:
        """A post, or a reply in the name of this page, by its owner."""
        actor = current_user(request)
        body = self.body(NewPostSerializer, authority=partial(require_owner_of, uuid, actor))
        post = services.create_post(
            actor=actor, page=uuid, idempotency_key=_idempotency_key(request), **body
        )
        return self.shown(post, HTTPStatus.CREATED)


class PostViewSet(BaseViewSet):
    access: ClassVar = {
        "retrieve": AllowAny,
        "partial_update": IsAuthenticated,
        "destroy": IsAuthenticated,
        "replies": AllowAny,
        "like": IsAuthenticated,
        "unlike": IsAuthenticated,
    }
    serializer_class = PostSerializer
    lookup_field = "id"
    lookup_value_regex = "[^/]+"

    @refuses(PagePrivate)
    def retrieve(self, request: Request, id: str) -> HttpResponse:
        """One post."""
        return self.shown(self._post(id))

    @refuses(Forbidden, PagePrivate, policies.PageBlocked)
    @extend_schema(request=EditedPostSerializer)
    def partial_update(self, request: Request, id: str) -> HttpResponse:
        """Other words for a post, by the owner of its page. `updated_at` tells of it."""
        actor, post_id = current_user(request), id_or_404(id)

        def authority() -> None:
            post = selectors.post_at(post_id, actor)
            policies.require_editable(actor, page_at(post.page.uuid, actor))

        body = self.body(EditedPostSerializer, authority=authority)
        post = services.edit_post(actor=actor, post=post_id, **body)
        return self.shown(post)

    @refuses(Forbidden, PagePrivate)
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a post of your page; as a moderator, any. Replies to it stay."""
        services.delete_post(actor=current_user(request), post=id_or_404(id))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(PagePrivate)
    @extend_schema(responses=PostSerializer(many=True))
    @action(detail=True)
    def replies(self, request: Request, id: str) -> HttpResponse:
        """The replies that you may see, oldest first."""
        post = id_or_404(id)
        return self.listed(selectors.replies_to(post, request.user, self.window()))

    @refuses(PagePrivate)
    @extend_schema(request=None, responses={200: LikeSerializer})
    @action(detail=True, methods=["post"])
    def like(self, request: Request, id: str) -> Response:
        """Like a post. Liking it again changes nothing."""
        post = services.like(actor=current_user(request), post=id_or_404(id))
        return Response(shows(LikeSerializer)(post))

    @extend_schema(request=None, responses={200: LikeSerializer, 204: None})
    @like.mapping.delete
    def unlike(self, request: Request, id: str) -> Response:
        """Take your like back. Nothing changes where there is none. The answer is empty where the
        post is hidden from you, and where there is no such post."""
        post = services.unlike(actor=current_user(request), post=id_or_404(id))
        if post is None:
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response(shows(LikeSerializer)(post))

    def _post(self, id: str) -> Post:
        return selectors.post_at(id_or_404(id), self.request.user)


class OwnLikesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PostSerializer

    def list(self, request: Request) -> HttpResponse:
        """The posts that you like and may still see, the latest like first."""
        return self.listed(selectors.liked_by(current_user(request), self.window()))


def _idempotency_key(request: Request) -> str | None:
    key: Any = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch("[!-~]{1,255}", key):
        raise Invalid("Idempotency-Key", "1 to 255 visible ASCII characters are expected.")
    return key  # type: ignore[no-any-return]
