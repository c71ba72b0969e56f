from typing import TYPE_CHECKING

from rest_framework.request import Request

from innotter.accounts.permissions import current_user
from innotter.common.permissions import IsAuthenticated
from innotter.pages.models import Page

if TYPE_CHECKING:
    # DRF's views import the permissions that the settings name.
    from rest_framework.views import APIView


class PageOwner(IsAuthenticated):
    """The owner of the page, which the view looks up first: what cannot be seen is 404."""

    def has_object_permission(self, request: Request, view: "APIView", obj: Page) -> bool:
        return obj.owner_id == request.user.pk


class PageOwnerOrModerator(PageOwner):
    """The owner of the page, and moderators and admins."""

    def has_object_permission(self, request: Request, view: "APIView", obj: Page) -> bool:
        return current_user(request).is_moderator or super().has_object_permission(
            request, view, obj
        )
