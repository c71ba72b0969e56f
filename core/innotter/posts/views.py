from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import signed_in
from innotter.common.errors import DomainError, Invalid
from innotter.common.permissions import Anyone, SignedIn
from innotter.common.views import RoomViewSet, id_or_404
from innotter.pages.permissions import PageOwner
from innotter.pages.selectors import open_page_at, page_at
from innotter.pages.views import PageViewSet, own_page
from innotter.posts import selectors, services
from innotter.posts.models import Post
from innotter.posts.serializers import LikeSerializer, NewPostSerializer, PostSerializer


class WholePageViewSet(PageViewSet):
    """A page with all that is on it, as only this room knows it."""

    access: ClassVar = {**PageViewSet.access, "destroy": PageOwner}

    def destroy(self, request: Request, uuid: str) -> Response:
        """Delete your page with its posts and followers. Replies on other pages stay."""
        services.delete_page(page=own_page(self, uuid))
        return Response(status=HTTPStatus.NO_CONTENT)


class PagePostsViewSet(RoomViewSet):
    """The posts of one page."""

    access: ClassVar = {"list": Anyone, "create": PageOwner}
    serializer_class = PostSerializer

    def list(self, request: Request, uuid: str) -> Response:
        """The page's posts, newest first."""
        posts = selectors.posts_of(open_page_at(uuid, request.user), request.user)
        return self.listed(lambda window: window.over(posts))

    @extend_schema(request=NewPostSerializer, responses={201: PostSerializer})
    def create(self, request: Request, uuid: str) -> Response:
        """A post, or a reply in the name of this page, by its owner."""
        page = page_at(uuid, request.user)
        self.check_object_permissions(request, page)
        body = self.body(NewPostSerializer)
        if body.get("reply_to"):
            body["reply_to"] = self._parent(body["reply_to"])
        post = services.create_post(author=signed_in(request), page=page, **body)
        shown = selectors.post_at(post.id, request.user)
        return Response(self.get_serializer(shown).data, HTTPStatus.CREATED)

    def _parent(self, post_id: UUID) -> Post:
        try:
            return selectors.post_at(post_id, self.request.user)
        except DomainError as error:
            raise Invalid("reply_to", str(error)) from None


class PostViewSet(RoomViewSet):
    access: ClassVar = {
        "retrieve": Anyone,
        "replies": Anyone,
        "like": SignedIn,
        "unlike": SignedIn,
    }
    serializer_class = PostSerializer
    lookup_field = "id"
    lookup_value_regex = "[^/]+"

    def retrieve(self, request: Request, id: str) -> Response:
        """One post."""
        return Response(self.get_serializer(self._post(id)).data)

    @extend_schema(responses=PostSerializer(many=True))
    @action(detail=True)
    def replies(self, request: Request, id: str) -> Response:
        """The replies that you may see, oldest first."""
        replies = selectors.replies_to(self._post(id), request.user)
        return self.listed(lambda window: window.over(replies, newest_first=False))

    @extend_schema(request=None, responses={200: LikeSerializer})
    @action(detail=True, methods=["post"])
    def like(self, request: Request, id: str) -> Response:
        """Like a post. Liking it again changes nothing."""
        count = services.like(user=signed_in(request), post=self._post(id))
        return Response({"likes_count": count, "liked": True})

    @extend_schema(request=None, responses={200: LikeSerializer})
    @like.mapping.delete
    def unlike(self, request: Request, id: str) -> Response:
        """Take your like back. Nothing changes where there is none."""
        count = services.unlike(user=signed_in(request), post=self._post(id))
        return Response({"likes_count": count, "liked": False})

    def _post(self, id: str) -> Post:
        return selectors.post_at(id_or_404(id), self.request.user)
