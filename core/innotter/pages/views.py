from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.models import User
from innotter.accounts.permissions import current_user
from innotter.accounts.selectors import user_at
from innotter.accounts.serializers import UserSerializer
from innotter.common.errors import Forbidden, Invalid
from innotter.common.reserved import TooManyNames
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet
from innotter.media.parsers import PictureParser
from innotter.media.serializers import PictureSerializer
from innotter.pages import follows, policies, selectors, services
from innotter.pages.names import UuidTaken
from innotter.pages.serializers import (
    AnswerRequestsSerializer,
    CountSerializer,
    FollowRequestSerializer,
    FollowSerializer,
    NewPageSerializer,
    PageFilterSerializer,
    PageSerializer,
    TagFilterSerializer,
    TagSerializer,
)


def require_owner_of(uuid: str, actor: User) -> None:
    """Where there is no service to ask. Raises NotFound, Forbidden."""
    policies.require_owner(actor, selectors.page_at(uuid, actor))


class PageViewSet(BaseViewSet):
    access: ClassVar = {
        "list": AllowAny,
        "create": IsAuthenticated,
        "retrieve": AllowAny,
        "partial_update": IsAuthenticated,
        "destroy": IsAuthenticated,
        "add_tag": IsAuthenticated,
        "remove_tag": IsAuthenticated,
        "set_image": IsAuthenticated,
        "remove_image": IsAuthenticated,
        "follow": IsAuthenticated,
        "unfollow": IsAuthenticated,
        "followers": AllowAny,
        "remove_follower": IsAuthenticated,
    }
    serializer_class = PageSerializer
    lookup_field = "uuid"
    lookup_value_regex = r"[A-Za-z0-9_-]+"

    @extend_schema(parameters=[PageFilterSerializer])
    def list(self, request: Request) -> HttpResponse:
        """The pages that you may find, newest first."""
        question = self.query(PageFilterSerializer)
        return self.listed(selectors.pages_with(request.user, self.window(), **question))

    @refuses(UuidTaken, services.TooManyPages)
    @extend_schema(request=NewPageSerializer, responses={201: PageSerializer})
    def create(self, request: Request) -> HttpResponse:
        """A page of your own. Without `uuid` it gets one made for it."""
        page = services.create_page(actor=current_user(request), **self.body(NewPageSerializer))
        return self.shown(page, HTTPStatus.CREATED)

    def retrieve(self, request: Request, uuid: str) -> HttpResponse:
        """A page's profile. That of a private page can be seen by everybody."""
        return self.shown(selectors.page_at(uuid, request.user))

    @refuses(Forbidden, UuidTaken, TooManyNames)
    @extend_schema(request=NewPageSerializer)
    def partial_update(self, request: Request, uuid: str) -> HttpResponse:
        """Change what you give of your page. A former uuid is nobody's at once. Who waits to
        follow a page that becomes public follows it; one that becomes private keeps its
        followers."""
        changes = self.body(
            NewPageSerializer, partial=True, authority=partial(self._require_owner, uuid)
        )
        return self.shown(services.edit_page(actor=current_user(request), page=uuid, **changes))

    @refuses(Forbidden)
    def destroy(self, request: Request, uuid: str) -> Response:
        """Delete your page with its posts and followers. Replies on other pages stay."""
        services.delete_page(actor=current_user(request), page=uuid)
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(Forbidden, Invalid)
    @extend_schema(request=None)
    @action(detail=True, methods=["put"], url_path="tags/(?P<tag>[^/]+)")
    def add_tag(self, request: Request, uuid: str, tag: str) -> HttpResponse:
        """Give your page a tag. Repeating it changes nothing."""
        return self.shown(services.add_tag(actor=current_user(request), page=uuid, tag=tag))

    @refuses(Forbidden)
    @extend_schema(responses={200: PageSerializer})
    @add_tag.mapping.delete
    def remove_tag(self, request: Request, uuid: str, tag: str) -> HttpResponse:
        """Take a tag from your page. Nothing changes where there is none."""
        return self.shown(services.remove_tag(actor=current_user(request), page=uuid, tag=tag))

    @refuses(Forbidden)
    @extend_schema(request=PictureSerializer, responses=PageSerializer)
    @action(detail=True, methods=["put"], url_path="image", parser_classes=[PictureParser])
    def set_image(self, request: Request, uuid: str) -> HttpResponse:
        """Your page's picture: the middle square of the file that you send, in two sizes."""
        picture = self.body(PictureSerializer, authority=partial(self._require_owner, uuid))
        return self.shown(services.set_image(actor=current_user(request), page=uuid, **picture))

    @refuses(Forbidden)
    @extend_schema(responses={204: None})
    @set_image.mapping.delete
    def remove_image(self, request: Request, uuid: str) -> Response:
        """Leave your page without a picture. Repeating it changes nothing."""
        services.set_image(actor=current_user(request), page=uuid, image=None)
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(policies.OwnPage)
    @extend_schema(request=None, responses=FollowSerializer)
    @action(detail=True, methods=["post"])
    def follow(self, request: Request, uuid: str) -> Response:
        """Follow a page; of a private one, ask to. Repeating it changes nothing."""
        page = follows.follow(actor=current_user(request), page=uuid)
        return Response({"follow": page.viewer_follow})

    @refuses(policies.OwnPage)
    @extend_schema(responses={204: None})
    @follow.mapping.delete
    def unfollow(self, request: Request, uuid: str) -> Response:
        """Stop following, or withdraw the request. The answer is the same where there is neither,
        where the page is hidden from you, and where there is no such page."""
        follows.unfollow(actor=current_user(request), page=uuid)
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(selectors.PagePrivate)
    @extend_schema(responses=UserSerializer(many=True))
    @action(detail=True, serializer_class=UserSerializer)
    def followers(self, request: Request, uuid: str) -> HttpResponse:
        """Who follows the page, latest first. Open to those who may see its posts."""
        return self.listed(selectors.followers_of(uuid, request.user, self.window()))

    @refuses(Forbidden)
    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path="followers/(?P<username>[A-Za-z0-9_.-]+)")
    def remove_follower(self, request: Request, uuid: str, username: str) -> Response:
        """Remove a follower from your page. Nothing changes where they don't follow it. They may
        follow it again; a private one, ask to."""
        follows.remove_follower(actor=current_user(request), page=uuid, username=username)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _require_owner(self, uuid: str) -> None:
        require_owner_of(uuid, current_user(self.request))


class OwnPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PageSerializer

    def list(self, request: Request) -> HttpResponse:
        """Your own pages, newest first."""
        me = current_user(request)
        return self.listed(selectors.pages_of(me, me, self.window()))


class FollowedPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PageSerializer

    def list(self, request: Request) -> HttpResponse:
        """The pages that you follow, latest follow first."""
        return self.listed(selectors.followed_pages(current_user(request), self.window()))


class UserPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": AllowAny}
    serializer_class = PageSerializer

    def list(self, request: Request, username: str) -> HttpResponse:
        """The pages of a user that you may find, newest first."""
        owner = user_at(username, request.user)
        return self.listed(selectors.pages_of(owner, request.user, self.window()))


class FollowRequestViewSet(BaseViewSet):
    """The follow requests of one page, for its owner."""

    access: ClassVar = {
        "list": IsAuthenticated,
        "accept": IsAuthenticated,
        "reject": IsAuthenticated,
    }
    serializer_class = FollowRequestSerializer

    @refuses(Forbidden)
    def list(self, request: Request, uuid: str) -> HttpResponse:
        """Who waits to follow your page, oldest first."""
        return self.listed(selectors.requests_of(uuid, current_user(request), self.window()))

    @refuses(Forbidden)
    @extend_schema(request=AnswerRequestsSerializer, responses=CountSerializer)
    @action(detail=False, methods=["post"])
    def accept(self, request: Request, uuid: str) -> Response:
        """Accept the requests of some users or of all. Who does not wait is passed over."""
        count = follows.accept_requests(
            actor=current_user(request), page=uuid, usernames=self._usernames(uuid)
        )
        return Response({"count": count})

    @refuses(Forbidden)
    @extend_schema(request=AnswerRequestsSerializer, responses=CountSerializer)
    @action(detail=False, methods=["post"])
    def reject(self, request: Request, uuid: str) -> Response:
        """Reject the requests of some users or of all. Who does not wait is passed over."""
        count = follows.reject_requests(
            actor=current_user(request), page=uuid, usernames=self._usernames(uuid)
        )
        return Response({"count": count})

    def _usernames(self, uuid: str) -> Sequence[str] | None:
        """None for all."""
        authority = partial(require_owner_of, uuid, current_user(self.request))
        return self.body(AnswerRequestsSerializer, authority=authority).get("usernames")


class TagViewSet(BaseViewSet):
    access: ClassVar = {"list": AllowAny}
    serializer_class = TagSerializer

    @extend_schema(parameters=[TagFilterSerializer])
    def list(self, request: Request) -> HttpResponse:
        """The tags of the pages that you may find, in the order of their names."""
        prefix = self.query(TagFilterSerializer).get("q", "")
        return self.listed(selectors.tags_for(request.user, self.window(), prefix))
