from typing import TYPE_CHECKING

from rest_framework.request import Request

from innotter.accounts.permissions import current_user
from innotter.common.permissions import IsAuthenticated

if TYPE_CHECKING:
    # DRF's views import the permissions that the settings name.
    from rest_framework.views import APIView


class Moderator(IsAuthenticated):
    """Moderators and admins."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and current_user(request).is_moderator


class Admin(IsAuthenticated):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and current_user(request).is_admin
