from http import HTTPStatus
from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts import selectors, services
from innotter.accounts.keys import public_jwks
from innotter.accounts.permissions import signed_in
from innotter.accounts.serializers import (
    EditedUserSerializer,
    LoginSerializer,
    MeSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from innotter.common.permissions import Anyone, SignedIn
from innotter.common.views import RoomViewSet, public
from innotter.media.parsers import PictureParser
from innotter.media.serializers import PictureSerializer
from innotter.media.services import store_picture


class AuthViewSet(RoomViewSet):
    access: ClassVar = {
        "register": Anyone,
        "log_in": Anyone,
        "refresh": Anyone,
        "log_out": Anyone,
    }

    @extend_schema(request=RegistrationSerializer, responses={201: UserSerializer})
    @action(detail=False, methods=["post"])
    def register(self, request: Request) -> Response:
        """A new account."""
        user = services.register(**self.body(RegistrationSerializer))
        return Response(UserSerializer(user).data, HTTPStatus.CREATED)

    @extend_schema(request=LoginSerializer, responses=TokenPairSerializer)
    @action(detail=False, methods=["post"], url_path="login")
    def log_in(self, request: Request) -> Response:
        """A new session, by username or e-mail address."""
        pair = services.log_in(**self.body(LoginSerializer))
        return Response(TokenPairSerializer(pair).data)

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer)
    @action(detail=False, methods=["post"])
    def refresh(self, request: Request) -> Response:
        """A new pair of tokens for a refresh token, which is spent by it."""
        pair = services.refresh(token=self.body(RefreshSerializer)["refresh"])
        return Response(TokenPairSerializer(pair).data)

    @extend_schema(request=RefreshSerializer, responses={204: None})
    @action(detail=False, methods=["post"], url_path="logout")
    def log_out(self, request: Request) -> Response:
        """Ends the session of a refresh token."""
        services.log_out(token=self.body(RefreshSerializer)["refresh"])
        return Response(status=HTTPStatus.NO_CONTENT)


class UserViewSet(RoomViewSet):
    access: ClassVar = {
        "retrieve": Anyone,
        "me": SignedIn,
        "edit_me": SignedIn,
        "set_image": SignedIn,
        "remove_image": SignedIn,
    }
    serializer_class = UserSerializer
    lookup_field = "username"
    lookup_value_regex = r"[A-Za-z0-9_.-]+"

    def retrieve(self, request: Request, username: str) -> Response:
        """A user, without what is private."""
        return Response(UserSerializer(selectors.user_named(username)).data)

    @extend_schema(responses=MeSerializer)
    @action(detail=False)
    def me(self, request: Request) -> Response:
        """Yourself."""
        return Response(MeSerializer(signed_in(request)).data)

    @extend_schema(request=EditedUserSerializer, responses=MeSerializer)
    @me.mapping.patch
    def edit_me(self, request: Request) -> Response:
        """Change your title, e-mail address, notifications or language: any of them."""
        changes = self.body(EditedUserSerializer, partial=True)
        return Response(MeSerializer(services.edit_user(user=signed_in(request), **changes)).data)

    @extend_schema(request=PictureSerializer, responses=MeSerializer)
    @action(detail=False, methods=["put"], url_path="me/image", parser_classes=[PictureParser])
    def set_image(self, request: Request) -> Response:
        """Your picture: the middle square of the file that you send, in two sizes."""
        image = store_picture(**self.body(PictureSerializer))
        return Response(MeSerializer(services.set_image(user=signed_in(request), image=image)).data)

    @extend_schema(responses={204: None})
    @set_image.mapping.delete
    def remove_image(self, request: Request) -> Response:
        """Have no picture any more. Repeating it changes nothing."""
        services.set_image(user=signed_in(request), image=None)
        return Response(status=HTTPStatus.NO_CONTENT)


@public
def jwks(request: HttpRequest) -> JsonResponse:
    return JsonResponse(public_jwks(), headers={"Cache-Control": "public, max-age=300"})
