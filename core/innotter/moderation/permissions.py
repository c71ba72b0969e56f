from typing import TYPE_CHECKING

from rest_framework.request import Request

from innotter.accounts.permissions import signed_in
from innotter.common.permissions import SignedIn

if TYPE_CHECKING:
    # DRF's views import the permissions that the settings name.
    from rest_framework.views import APIView


class Moderator(SignedIn):
    """Moderators and admins."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and signed_in(request).is_moderator


class Admin(SignedIn):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and signed_in(request).is_admin
