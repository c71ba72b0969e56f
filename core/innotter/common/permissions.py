"""Who may call. A view that declares nothing is closed to everybody."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    # DRF's views import the permissions that the settings name.
    from rest_framework.views import APIView


class Nobody(BasePermission):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False
