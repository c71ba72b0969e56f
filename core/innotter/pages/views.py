from http import HTTPStatus
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import signed_in
from innotter.common.permissions import Anyone, SignedIn
from innotter.common.views import RoomViewSet
from innotter.pages import selectors, services
from innotter.pages.serializers import FollowSerializer, NewPageSerializer, PageSerializer


class PageViewSet(RoomViewSet):
    access: ClassVar = {
        "list": Anyone,
        "create": SignedIn,
        "retrieve": Anyone,
        "follow": SignedIn,
        "unfollow": SignedIn,
    }
    serializer_class = PageSerializer
    lookup_field = "uuid"
    lookup_value_regex = r"[\w-]+"

    def list(self, request: Request) -> Response:
        """The pages that you may find, newest first."""
        return self.listed(lambda window: window.over(selectors.pages_for(request.user)))

    @extend_schema(request=NewPageSerializer, responses={201: PageSerializer})
    def create(self, request: Request) -> Response:
        """A page of your own. Without `uuid` it gets an address made for it."""
        page = services.create_page(owner=signed_in(request), **self.body(NewPageSerializer))
        return self._profile(page.uuid, HTTPStatus.CREATED)

    def retrieve(self, request: Request, uuid: str) -> Response:
        """A page's profile. That of a private page can be seen by everybody."""
        return self._profile(uuid)

    @extend_schema(request=None, responses=FollowSerializer)
    @action(detail=True, methods=["post"])
    def follow(self, request: Request, uuid: str) -> Response:
        """Follow a page; of a private one, ask to. Repeating it changes nothing."""
        page = selectors.page_at(uuid, request.user)
        follow = services.follow(user=signed_in(request), page=page)
        return Response({"follow": "following" if follow.accepted_at else "requested"})

    @extend_schema(responses={204: None})
    @follow.mapping.delete
    def unfollow(self, request: Request, uuid: str) -> Response:
        """Stop following, or withdraw the request. Repeating it changes nothing."""
        page = selectors.page_at(uuid, request.user)
        services.unfollow(user=signed_in(request), page=page)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _profile(self, uuid: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
        page = selectors.page_at(uuid, self.request.user)
        return Response(self.get_serializer(page).data, status)


class OwnPagesViewSet(RoomViewSet):
    access: ClassVar = {"list": SignedIn}
    serializer_class = PageSerializer

    def list(self, request: Request) -> Response:
        """Your own pages, newest first."""
        me = signed_in(request)
        mine = selectors.pages_of(me, me)
        return self.listed(lambda window: window.over(mine))
