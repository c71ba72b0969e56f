from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import current_user
from innotter.accounts.serializers import CurrentPasswordSerializer
from innotter.common.clients import client_of
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet
from innotter.exports import selectors, services
from innotter.exports.models import Export
from innotter.exports.serializers import ExportSerializer


class ExportViewSet(BaseViewSet):
    access: ClassVar = {"export": IsAuthenticated, "request_export": IsAuthenticated}
    serializer_class = ExportSerializer

    @extend_schema(responses=ExportSerializer)
    @action(detail=False)
    def export(self, request: Request) -> Response:
        """How far the archive of all that is yours is, and where to fetch it."""
        return Response(_shown(selectors.export_of(current_user(request))))

    @refuses(services.ExportRunning)
    @extend_schema(request=CurrentPasswordSerializer, responses={202: ExportSerializer})
    @export.mapping.post
    def request_export(self, request: Request) -> Response:
        """Have an archive of all that is yours made, in place of the one before. It is offered for
        a week."""
        made = services.request_export(
            actor=current_user(request),
            client=client_of(request),
            **self.body(CurrentPasswordSerializer),
        )
        return Response(_shown(made), HTTPStatus.ACCEPTED)


def _shown(export: Export | None) -> dict[str, Any]:
    return ExportSerializer(
        {
            "state": export.state if export else "none",
            "progress": export.progress if export else 0,
            "url": selectors.url_of(export),
            "expires_at": export.expires_at if export else None,
        }
    ).data
