from collections.abc import Callable
from copy import copy
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.urls import replace_query_param
from rest_framework.viewsets import GenericViewSet

from innotter.common import problems
from innotter.common.errors import Invalid, NotFound
from innotter.common.pagination import DEFAULT_LIMIT, MAX_LIMIT, Slice, Window
from innotter.common.permissions import Nobody
from innotter.common.rendering import JsonRenderer, Show, shows
from innotter.common.serializers import id_from

# OPTIONS is answered to browsers alone, by the middleware of CORS.
METHODS = ["get", "head", "post", "put", "patch", "delete"]


class JsonAlways(DefaultContentNegotiation):
    """There is nothing to choose from: who asks for something else gets JSON, and no refusal."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class KeysetPagination(BasePagination):
    """Describes lists in OpenAPI; BaseViewSet reads the window and writes the response."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "From `next` or `previous` of another answer.",
                "schema": {"type": "string", "minLength": 1},
            },
            {
                "name": "limit",
                "in": "query",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class BaseViewSet(GenericViewSet[Any]):
    """What the views of every app share: authority by action, and keyset lists."""

    # Who may call each action. An action that is not named here is closed to everybody.
    access: ClassVar[dict[str, type[BasePermission]]] = {}
    http_method_names = METHODS
    content_negotiation_class = JsonAlways
    pagination_class = KeysetPagination

    def get_permissions(self) -> list[BasePermission]:
        if self.action in (None, "metadata"):
            # No action has this method: the response is 405 for everybody.
            return []
        return [self.access.get(self.action, Nobody)()]

    def body(
        self,
        serializer: type[BaseSerializer[Any]],
        *,
        partial: bool = False,
        authority: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """The request's body, checked; of a `partial` one no field is required.

        Raises APIException for a bad one (400, 413, 415), unless `authority` then raises what the
        service would: who may not do it at all is told that, whatever they sent.
        """
        try:
            return self._checked(serializer, self.request.data, partial)
        except APIException:
            if authority is not None:
                authority()
            raise

    def query(self, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """The question after the path, checked. Raises ValidationError (400)."""
        # As a form it would have what is empty for what is left out.
        return self._checked(serializer, self.request.query_params.dict())

    def window(self) -> Window:
        """What `?limit=` and `?cursor=` ask for. Raises Invalid."""
        query = self.request.query_params
        return Window(_limit(query.get("limit")), query.get("cursor"))

    def listed(self, rows: Slice[Any]) -> HttpResponse:
        """The answer to a list."""
        return _json(
            {
                "next": self._link(rows.next),
                "previous": self._link(rows.previous),
                "results": list(map(self._shows(), rows.rows)),
            }
        )

    def shown(self, row: Any, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        """The answer that is one row."""
        return _json(self._shows()(row), status)

    def _shows(self) -> Show:
        serializer: Any = self.get_serializer_class()
        return shows(serializer)

    def _checked(self, serializer: Any, data: Any, partial: bool = False) -> dict[str, Any]:
        bound = copy(_unbound(serializer, partial))
        bound.initial_data = data
        bound.is_valid(raise_exception=True)
        validated: dict[str, Any] = bound.validated_data
        return validated

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)


def _json(shown: Any, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Written at once, because there is one form of it; DRF's Response waits for the choice."""
    content = JsonRenderer().render(shown)
    return HttpResponse(content, JsonRenderer.media_type, status)


@cache
def _unbound(serializer: Any, partial: bool) -> Any:
    """With its fields and validators, which take longer to make than to ask. They hold nothing of
    a request; what does is the copy's own."""
    made = serializer(partial=partial)
    _ = made.fields, made.validators
    return made


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise Invalid("limit", f"A number from 1 to {MAX_LIMIT} is expected.")


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
