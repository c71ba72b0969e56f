from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from innotter.common import problems
from innotter.common.errors import NotFound
from innotter.common.pagination import Key, KeysetPagination, Window
from innotter.common.permissions import Nobody
from innotter.common.serializers import id_from

# OPTIONS is answered to browsers alone, by the middleware of CORS.
METHODS = ["get", "head", "post", "put", "patch", "delete"]


class JsonAlways(DefaultContentNegotiation):
    """There is nothing to choose from: who asks for something else gets JSON, and no refusal."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class BaseViewSet(GenericViewSet[Any]):
    """What the views of every app share: authority by action, and keyset lists."""

    # Who may call each action. An action that is not named here is closed to everybody.
    access: ClassVar[dict[str, type[BasePermission]]] = {}
    http_method_names = METHODS
    content_negotiation_class = JsonAlways

    def get_permissions(self) -> list[BasePermission]:
        if self.action in (None, "metadata"):
            # No action has this method: the answer is 405, whoever asks.
            return []
        return [self.access.get(self.action, Nobody)()]

    def body(
        self, serializer: type[BaseSerializer[Any]], *, partial: bool = False
    ) -> dict[str, Any]:
        """The request's body, checked; of a `partial` one no field is required.

        Raises ValidationError (400).
        """
        return self._checked(serializer, self.request.data, partial)

    def query(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """The question after the path, checked. Raises ValidationError (400)."""
        # As a form it would have what is empty for what is left out.
        return self._checked(serializer, self.request.query_params.dict())

    def listed(
        self,
        fetch: Callable[[Window], Sequence[Any]],
        key: Callable[[Any], Key] = lambda row: row.id,
        key_type: type[Key] = UUID,
        *,
        newest_first: bool = True,
    ) -> Response:
        """The answer to a list: `fetch` is a selector that waits for its window."""
        pagination = KeysetPagination()
        window = pagination.window(self.request, key_type, newest_first=newest_first)
        return pagination.answer(self.request, window, fetch(window), self._serialize, key)

    def _checked(
        self, serializer: type[BaseSerializer[Any]], data: Any, partial: bool = False
    ) -> dict[str, Any]:
        bound = serializer(data=data, partial=partial, context=self.get_serializer_context())
        bound.is_valid(raise_exception=True)
        validated: dict[str, Any] = bound.validated_data
        return validated

    def _serialize(self, rows: Sequence[Any]) -> Any:
        return self.get_serializer(rows, many=True).data


def id_or_404(text: str) -> UUID:
    """A text of another shape names nothing."""
    try:
        return id_from(text)
    except ValueError:
        raise NotFound from None


def public(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A view outside the API that anybody may GET, and nobody anything else."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return problems.method_not_allowed()
        return view(request)

    return guarded


@public
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@public
def ready(request: HttpRequest) -> JsonResponse:
    """Only the database: with the broker, SES, S3 and DynamoDB down the core goes on working.

    Without it the answer is that of every view: 503, `database_unavailable`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})
