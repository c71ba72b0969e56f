from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import current_user
from innotter.accounts.selectors import user_at
from innotter.accounts.serializers import UserSerializer
from innotter.common.errors import Invalid, NotFound
from innotter.common.permissions import AllowAny, IsAuthenticated
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet
from innotter.media.parsers import PictureParser
from innotter.media.serializers import PictureSerializer
from innotter.media.services import store_picture
from innotter.pages import selectors, services
from innotter.pages.models import Page
from innotter.pages.permissions import PageOwner
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


def own_page(view: BaseViewSet, uuid: str) -> Page:
    """The page at an address, for an action that is PageOwner's. Raises NotFound, and
    PermissionDenied for others than its owner."""
    page = selectors.page_at(uuid, view.request.user)
    view.check_object_permissions(view.request, page)
    return page


class PageViewSet(BaseViewSet):
    access: ClassVar = {
        "list": AllowAny,
        "create": IsAuthenticated,
        "retrieve": AllowAny,
        "partial_update": PageOwner,
        "add_tag": PageOwner,
        "remove_tag": PageOwner,
        "set_image": PageOwner,
        "remove_image": PageOwner,
        "follow": IsAuthenticated,
        "unfollow": IsAuthenticated,
        "followers": AllowAny,
    }
    serializer_class = PageSerializer
    lookup_field = "uuid"
    lookup_value_regex = r"[A-Za-z0-9_-]+"

    @extend_schema(parameters=[PageFilterSerializer])
    def list(self, request: Request) -> Response:
        """The pages that you may find, newest first."""
        question = self.query(PageFilterSerializer)
        return self.listed(selectors.pages_with(request.user, self.window(), **question))

    @refuses(services.AddressTaken)
    @extend_schema(request=NewPageSerializer, responses={201: PageSerializer})
    def create(self, request: Request) -> Response:
        """A page of your own. Without `uuid` it gets an address made for it."""
        page = services.create_page(owner=current_user(request), **self.body(NewPageSerializer))
        return self._profile(page.uuid, HTTPStatus.CREATED)

    def retrieve(self, request: Request, uuid: str) -> Response:
        """A page's profile. That of a private page can be seen by everybody."""
        return self._profile(uuid)

    @refuses(services.AddressTaken)
    @extend_schema(request=NewPageSerializer)
    def partial_update(self, request: Request, uuid: str) -> Response:
        """Change what you give of your page. A former address is nobody's at once. Who waits to
        follow a page that becomes public follows it; one that becomes private keeps its
        followers."""
        page = own_page(self, uuid)
        page = services.edit_page(page=page, **self.body(NewPageSerializer, partial=True))
        return self._profile(page.uuid)

    @refuses(Invalid)
    @extend_schema(request=None)
    @action(detail=True, methods=["put"], url_path="tags/(?P<tag>[^/]+)")
    def add_tag(self, request: Request, uuid: str, tag: str) -> Response:
        """Give your page a tag. Repeating it changes nothing."""
        services.add_tag(page=own_page(self, uuid), tag=tag)
        return self._profile(uuid)

    @extend_schema(responses={200: PageSerializer})
    @add_tag.mapping.delete
    def remove_tag(self, request: Request, uuid: str, tag: str) -> Response:
        """Take a tag from your page. Nothing changes where there is none."""
        services.remove_tag(page=own_page(self, uuid), tag=tag)
        return self._profile(uuid)

    @extend_schema(request=PictureSerializer, responses=PageSerializer)
    @action(detail=True, methods=["put"], url_path="image", parser_classes=[PictureParser])
    def set_image(self, request: Request, uuid: str) -> Response:
        """Your page's picture: the middle square of the file that you send, in two sizes."""
        page = own_page(self, uuid)
        services.set_image(page=page, image=store_picture(**self.body(PictureSerializer)))
        return self._profile(uuid)

    @extend_schema(responses={204: None})
    @set_image.mapping.delete
    def remove_image(self, request: Request, uuid: str) -> Response:
        """Leave your page without a picture. Repeating it changes nothing."""
        services.set_image(page=own_page(self, uuid), image=None)
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(services.OwnPage)
    @extend_schema(request=None, responses=FollowSerializer)
    @action(detail=True, methods=["post"])
    def follow(self, request: Request, uuid: str) -> Response:
        """Follow a page; of a private one, ask to. Repeating it changes nothing."""
        page = selectors.page_at(uuid, request.user)
        follow = services.follow(user=current_user(request), page=page)
        return Response({"follow": "following" if follow.accepted_at else "requested"})

    @refuses(services.OwnPage)
    @extend_schema(responses={204: None})
    @follow.mapping.delete
    def unfollow(self, request: Request, uuid: str) -> Response:
        """Stop following, or withdraw the request. The answer is the same where there is neither,
        where the page is hidden from you, and where there is no such page."""
        with suppress(NotFound):
            services.unfollow(user=current_user(request), page=selectors.any_page_at(uuid))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(selectors.PagePrivate)
    @extend_schema(responses=UserSerializer(many=True))
    @action(detail=True, serializer_class=UserSerializer)
    def followers(self, request: Request, uuid: str) -> Response:
        """Who follows the page, latest first. Open to those who may see its posts."""
        page = selectors.open_page_at(uuid, request.user)
        return self.listed(selectors.followers_of(page, request.user, self.window()))

    def _profile(self, uuid: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
        page = selectors.page_at(uuid, self.request.user)
        return Response(self.get_serializer(page).data, status)


class OwnPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PageSerializer

    def list(self, request: Request) -> Response:
        """Your own pages, newest first."""
        me = current_user(request)
        return self.listed(selectors.pages_of(me, me, self.window()))


class FollowedPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PageSerializer

    def list(self, request: Request) -> Response:
        """The pages that you follow, latest follow first."""
        return self.listed(selectors.followed_pages(current_user(request), self.window()))


class UserPagesViewSet(BaseViewSet):
    access: ClassVar = {"list": AllowAny}
    serializer_class = PageSerializer

    def list(self, request: Request, username: str) -> Response:
        """The pages of a user that you may find, newest first."""
        owner = user_at(username, request.user)
        return self.listed(selectors.pages_of(owner, request.user, self.window()))


class FollowRequestViewSet(BaseViewSet):
    """The follow requests of one page, for its owner."""

    access: ClassVar = {"list": PageOwner, "accept": PageOwner, "reject": PageOwner}
    serializer_class = FollowRequestSerializer

    def list(self, request: Request, uuid: str) -> Response:
        """Who waits to follow your page, oldest first."""
        page = selectors.page_at(uuid, request.user)
        return self.listed(selectors.requests_of(page, request.user, self.window()))

    @extend_schema(request=AnswerRequestsSerializer, responses=CountSerializer)
    @action(detail=False, methods=["post"])
    def accept(self, request: Request, uuid: str) -> Response:
        """Accept the requests of some users or of all. Who does not wait is passed over."""
        page, usernames = own_page(self, uuid), self._usernames()
        count = services.accept_requests(page=page, usernames=usernames)
        return Response({"count": count})

    @extend_schema(request=AnswerRequestsSerializer, responses=CountSerializer)
    @action(detail=False, methods=["post"])
    def reject(self, request: Request, uuid: str) -> Response:
        """Reject the requests of some users or of all. Who does not wait is passed over."""
        page, usernames = own_page(self, uuid), self._usernames()
        count = services.reject_requests(page=page, usernames=usernames)
        return Response({"count": count})

    def _usernames(self) -> Sequence[str] | None:
        """None for all."""
        return self.body(AnswerRequestsSerializer).get("usernames")


class TagViewSet(BaseViewSet):
    access: ClassVar = {"list": AllowAny}
    serializer_class = TagSerializer

    @extend_schema(parameters=[TagFilterSerializer])
    def list(self, request: Request) -> Response:
        """The tags of the pages that you may find, in the order of their names."""
        prefix = self.query(TagFilterSerializer).get("q", "")
        return self.listed(selectors.tags_for(request.user, self.window(), prefix))
