from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from innotter.accounts.mailboxes import EmailTaken, NoMailbox
from innotter.accounts.models import Invitation, Registration
from innotter.accounts.names import UsernameTaken
from innotter.accounts.permissions import current_user
from innotter.accounts.policies import Oneself, require_admin
from innotter.accounts.serializers import UserSerializer
from innotter.common.errors import Forbidden
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, id_or_404
from innotter.moderation import admissions, policies, selectors, services
from innotter.moderation.serializers import (
    InvitationSerializer,
    NewInvitationSerializer,
    PageBlockSerializer,
    ReasonSerializer,
    RoleSerializer,
    WaitingRegistrationSerializer,
)
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
    def block(self, request: Request, uuid: str) -> HttpResponse:
        """Block a page until a moment, or for good (admins), whatever block there was."""
        page = services.block_page(
            actor=current_user(request), page=uuid, **self._body(PageBlockSerializer)
        )
        return self.shown(page)

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
    def role(self, request: Request, username: str) -> HttpResponse:
        """Make somebody else a user, a moderator or an admin."""
        user = services.set_role(
            actor=current_user(request), user=username, **self._body(RoleSerializer)
        )
        return self.shown(user)

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


class InvitationViewSet(BaseViewSet):
    """By which people register where REGISTRATION is `invitation`."""

    access: ClassVar = {
        "list": IsAuthenticated,
        "create": IsAuthenticated,
        "retrieve": IsAuthenticated,
        "destroy": IsAuthenticated,
    }
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()
    lookup_field = "code"
    lookup_value_regex = r"[A-Za-z0-9_-]+"

    @refuses(Forbidden)
    def list(self, request: Request) -> HttpResponse:
        """All that have not expired, newest first. Moderators and admins see them."""
        policies.require_moderator(current_user(request))
        return self.listed(selectors.invitations(self.window()))

    @refuses(Forbidden, admissions.TooManyInvitations)
    @extend_schema(request=NewInvitationSerializer, responses={201: InvitationSerializer})
    def create(self, request: Request) -> HttpResponse:
        """A link for so many newcomers until a moment."""
        actor = current_user(request)
        given = self.body(
            NewInvitationSerializer, authority=partial(policies.require_moderator, actor)
        )
        made = admissions.create_invitation(actor=actor, **given)
        return self.shown(made, HTTPStatus.CREATED)

    @refuses(Forbidden)
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        """How often it was used."""
        policies.require_moderator(current_user(request))
        return self.shown(selectors.invitation_at(code))

    @refuses(Forbidden)
    def destroy(self, request: Request, code: str) -> Response:
        """Nobody registers by it any more."""
        admissions.withdraw_invitation(actor=current_user(request), code=code)
        return Response(status=HTTPStatus.NO_CONTENT)


class RegistrationViewSet(BaseViewSet):
    """Who waits for moderators to decide, where REGISTRATION is `approval`."""

    access: ClassVar = {
        "list": IsAuthenticated,
        "approve": IsAuthenticated,
        "reject": IsAuthenticated,
    }
    serializer_class = WaitingRegistrationSerializer
    queryset = Registration.objects.none()
    lookup_field = "id"

    def _body(self) -> dict[str, Any]:
        actor = current_user(self.request)
        return self.body(ReasonSerializer, authority=partial(policies.require_moderator, actor))

    @refuses(Forbidden)
    def list(self, request: Request) -> HttpResponse:
        """Oldest first. Moderators and admins see them."""
        policies.require_moderator(current_user(request))
        return self.listed(selectors.waiting_registrations(self.window()))

    @refuses(Forbidden, UsernameTaken, EmailTaken)
    @extend_schema(request=ReasonSerializer, responses=UserSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: str) -> Response:
        """Make the account. A mail tells its owner; the `reason` goes to the log."""
        user = admissions.approve_registration(
            actor=current_user(request), registration_id=id_or_404(id), **self._body()
        )
        return Response(UserSerializer(user).data)

    @refuses(Forbidden)
    @extend_schema(request=ReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, id: str) -> Response:
        """End the claim. A mail tells who made it, with the `reason`."""
        admissions.reject_registration(
            actor=current_user(request), registration_id=id_or_404(id), **self._body()
        )
        return Response(status=HTTPStatus.NO_CONTENT)
