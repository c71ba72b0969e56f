from http import HTTPStatus
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import current_user
from innotter.accounts.selectors import user_named
from innotter.accounts.serializers import UserSerializer
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet
from innotter.moderation import services
from innotter.moderation.permissions import Admin, Moderator
from innotter.moderation.serializers import PageBlockSerializer, ReasonSerializer, RoleSerializer
from innotter.pages.permissions import PageOwnerOrModerator
from innotter.pages.selectors import PagePrivate, page_at
from innotter.pages.serializers import PageSerializer
from innotter.posts.views import PostViewSet


class PageBlockViewSet(BaseViewSet):
    access: ClassVar = {"block": Moderator, "unblock": Moderator}
    serializer_class = PageSerializer
    lookup_field = "uuid"
    lookup_value_regex = r"[A-Za-z0-9_-]+"

    @refuses(services.BlockForGood)
    @extend_schema(request=PageBlockSerializer, responses=PageSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, uuid: str) -> Response:
        """Block a page until a moment, or for good (admins), whatever block there was."""
        page = page_at(uuid, request.user)
        services.block_page(
            actor=current_user(request), page=page, **self.body(PageBlockSerializer)
        )
        return Response(self.get_serializer(page_at(uuid, request.user)).data)

    @refuses(services.BlockForGood, reads_body=True)
    @extend_schema(responses={204: None})
    @block.mapping.delete
    def unblock(self, request: Request, uuid: str) -> Response:
        """Lift a page's block; one for good can be lifted by admins alone.

        A `reason` in the body goes to the log.
        """
        page = page_at(uuid, request.user)
        services.unblock_page(actor=current_user(request), page=page, **self.body(ReasonSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)


class UserModerationViewSet(BaseViewSet):
    access: ClassVar = {"block": Admin, "unblock": Admin, "role": Admin}
    serializer_class = UserSerializer
    lookup_field = "username"
    lookup_value_regex = r"[A-Za-z0-9_.-]+"

    @refuses(services.Oneself)
    @extend_schema(request=ReasonSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def block(self, request: Request, username: str) -> Response:
        """Shut a user out, and their pages with them. Repeating it changes nothing."""
        user = user_named(username)
        services.block_user(actor=current_user(request), user=user, **self.body(ReasonSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(reads_body=True)
    @extend_schema(responses={204: None})
    @block.mapping.delete
    def unblock(self, request: Request, username: str) -> Response:
        """Let a user in again. Repeating it changes nothing.

        A `reason` in the body goes to the log.
        """
        user = user_named(username)
        services.unblock_user(actor=current_user(request), user=user, **self.body(ReasonSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(services.Oneself)
    @extend_schema(request=RoleSerializer, responses=UserSerializer)
    @action(detail=True, methods=["put"])
    def role(self, request: Request, username: str) -> Response:
        """Make somebody else a user, a moderator or an admin."""
        user = user_named(username)
        user = services.set_role(
            actor=current_user(request), user=user, **self.body(RoleSerializer)
        )
        return Response(self.get_serializer(user).data)


class ModeratedPostViewSet(PostViewSet):
    """Posts with their deletion, which leaves a trace that posts know nothing of."""

    access: ClassVar = {**PostViewSet.access, "destroy": PageOwnerOrModerator}

    @refuses(PagePrivate)
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a post of your page; as a moderator, any. Replies to it stay."""
        services.delete_post(actor=current_user(request), post=self._governed_post(id))
        return Response(status=HTTPStatus.NO_CONTENT)
