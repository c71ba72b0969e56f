from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from innotter.accounts.mailboxes import EmailTaken, NoMailbox
from innotter.accounts.permissions import current_user
from innotter.accounts.policies import Oneself, require_admin
from innotter.accounts.serializers import UserSerializer
from innotter.common.errors import Forbidden
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet
from innotter.moderation import policies, services
from innotter.moderation.serializers import PageBlockSerializer, ReasonSerializer, RoleSerializer
from innotter.pages.serializers import PageSerializer


class PageBlockViewSet(BaseViewSet):
    access: ClassVar = {"block": IsAuthenticated, "unblock": IsAuthenticated}
    serializer_class = PageSerializer
    lookup_field = "uuid"
    lookup_value_regex = r"[A-Za-z0-9_-]+"

    def _body(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        actor = current_user(self.request)
        return self.body(serializer, authority=partial(policies.require_moderator, actor))

    @refuses(Forbidden, policies.BlockForGood)
    @extend_schema(request=PageBlockSerializer, responses=PageSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, uuid: str) -> Response:
        """Block a page until a moment, or for good (admins), whatever block there was."""
        page = services.block_page(
            actor=current_user(request), page=uuid, **self._body(PageBlockSerializer)
        )
        return Response(self.get_serializer(page).data)

    @refuses(Forbidden, policies.BlockForGood, reads_body=True)
    @extend_schema(responses={204: None})
    @block.mapping.delete
    def unblock(self, request: Request, uuid: str) -> Response:
        """Lift a page's block; one for good can be lifted by admins alone.

        A `reason` in the body goes to the log.
        """
        services.unblock_page(
            actor=current_user(request), page=uuid, **self._body(ReasonSerializer)
        )
        return Response(status=HTTPStatus.NO_CONTENT)


class UserModerationViewSet(BaseViewSet):
    access: ClassVar = {
        "block": IsAuthenticated,
        "unblock": IsAuthenticated,
        "role": IsAuthenticated,
        "confirm_email": IsAuthenticated,
        "send_password_reset": IsAuthenticated,
    }
    serializer_class = UserSerializer
    lookup_field = "username"
    lookup_value_regex = r"[A-Za-z0-9_.-]+"

    def _body(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        actor = current_user(self.request)
        return self.body(serializer, authority=partial(require_admin, actor))

    @refuses(Forbidden, Oneself)
    @extend_schema(request=ReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def block(self, request: Request, username: str) -> Response:
        """Block a user, and their pages with them. Repeating it changes nothing."""
        services.block_user(
            actor=current_user(request), user=username, **self._body(ReasonSerializer)
        )
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(Forbidden, reads_body=True)
    @extend_schema(responses={204: None})
    @block.mapping.delete
    def unblock(self, request: Request, username: str) -> Response:
        """Unblock a user. Repeating it changes nothing.

        A `reason` in the body goes to the log.
        """
        services.unblock_user(
            actor=current_user(request), user=username, **self._body(ReasonSerializer)
        )
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(Forbidden, Oneself)
    @extend_schema(request=RoleSerializer, responses=UserSerializer)
    @action(detail=True, methods=["put"])
    def role(self, request: Request, username: str) -> Response:
        """Make somebody else a user, a moderator or an admin."""
        user = services.set_role(
            actor=current_user(request), user=username, **self._body(RoleSerializer)
        )
        return Response(self.get_serializer(user).data)

    @refuses(Forbidden, Oneself, EmailTaken)
    @extend_schema(request=ReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"], url_path="confirm-email")
    def confirm_email(self, request: Request, username: str) -> Response:
        """Confirm somebody's pending e-mail address, because you know that it is theirs. Repeating
        it changes nothing."""
        services.confirm_email(
            actor=current_user(request), user=username, **self._body(ReasonSerializer)
        )
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(Forbidden, Oneself, NoMailbox)
    @extend_schema(request=ReasonSerializer, responses={202: None})
    @action(detail=True, methods=["post"], url_path="password-reset")
    def send_password_reset(self, request: Request, username: str) -> Response:
        """Have a link to a new password mailed to somebody's confirmed e-mail address."""
        services.send_password_reset(
            actor=current_user(request), user=username, **self._body(ReasonSerializer)
        )
        return Response(status=HTTPStatus.ACCEPTED)
