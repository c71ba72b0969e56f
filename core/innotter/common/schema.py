"""How the OpenAPI document is written: every operation with the problems that it may answer."""

import inspect
import re
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

from innotter.common.permissions import Anyone
from innotter_contracts.problems import MEDIA_TYPE, problem

DETAILS = {
    HTTPStatus.BAD_REQUEST: ("invalid", "The input is not valid."),
    HTTPStatus.UNAUTHORIZED: ("invalid_token", "The token has expired."),
    HTTPStatus.FORBIDDEN: ("forbidden", "You may not do this."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing here, or nothing that you may see."),
    HTTPStatus.TOO_MANY_REQUESTS: ("throttled", "That was too often: wait a while."),
    HTTPStatus.CONFLICT: ("conflict", "This does not go together with what is there already."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too_large", "The request's body is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "unsupported_media_type",
        'Unsupported media type "application/json" in request.',
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "storage_unavailable",
        "Pictures cannot be stored at the moment.",
    ),
}

# Where a file is sent.
OF_A_FILE = [
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.SERVICE_UNAVAILABLE,
]

# What DRF calls the actions that need no names of their own.
USUAL_ACTIONS = ("list", "create", "retrieve", "update", "partial_update", "destroy")

# What stands in the example of a request's body, by the name of the field.
EXAMPLES: dict[str, Any] = {
    "username": "ann",
    "email": "ann@example.com",
    "login": "ann",
    "password": "a quiet harbour 7",
    "current_password": "a noisy harbour 7",
    "title": "Ann of the harbour",
    "refresh": "the-refresh-token-of-the-last-answer",
    "email_notifications": "daily",
    "language": "en",
    "uuid": "harbour",
    "name": "The harbour",
    "description": "What comes in and what goes out.",
    "tags": ["boats", "fog"],
    "is_private": False,
    "content": "Fog over the harbour.",
    "usernames": ["bob", "eve"],
    "until": "2030-01-01T00:00:00Z",
    "reason": "Advertising.",
    "role": "moderator",
    "image": "(the bytes of face.png)",
}


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457); `errors` only on 400."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment] # a field may have the name of Serializer.errors


class Schema(AutoSchema):
    def get_operation_id(self) -> str:
        """`pages_follow` and `pages_unfollow`, where DRF's words would hide what is done."""
        action = getattr(self.view, "action", "")
        if not action or action in USUAL_ACTIONS:
            return str(super().get_operation_id())
        words = [*self._tokenize_path()[:-1], action]
        return "_".join(words).replace("-", "_")

    def get_description(self) -> str:  # type: ignore[override] # drf-spectacular asks without words
        """What the action promises; the class that views share is nobody's promise."""
        action = getattr(self.view, "action", "")
        return inspect.getdoc(getattr(self.view, action, None)) or ""

    def get_summary(self) -> str:
        """The first sentence of the description."""
        paragraph = " ".join(self.get_description().split("\n\n")[0].split())
        return re.split(r"[.:;] ", paragraph)[0].rstrip(".")

    def get_auth(self) -> list[dict[str, Any]]:
        """A token, or none where anybody may ask."""
        auth: list[dict[str, Any]] = super().get_auth()
        public = any(isinstance(each, Anyone) for each in self.view.get_permissions())
        return [*auth, {}] if public else auth

    def _get_request_body(self, direction: Any = "request") -> Any:
        written: Any = super()._get_request_body  # untyped there
        body: Any = written(direction)
        if body:
            instance: Any = force_instance  # untyped there
            serializer = instance(self.get_request_serializer())
            fields = getattr(serializer, "fields", ())  # none where any JSON is taken
            example = {name: EXAMPLES[name] for name in fields if name in EXAMPLES}
            for content in body["content"].values():
                content.setdefault("example", example)
        return body

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problems():
            if str(status.value) not in bodies:
                answer: Any = self._get_response_for_code  # untyped there
                bodies[str(status.value)] = answer(
                    _answer(status), str(status.value), media_types=[MEDIA_TYPE]
                )
        return dict(sorted(bodies.items()))

    def _problems(self) -> list[HTTPStatus]:
        """What an operation of this kind may answer besides what its view declares."""
        problems = [HTTPStatus.UNAUTHORIZED]
        if self.method in ("POST", "PUT", "PATCH") or self._is_list_view():
            problems.append(HTTPStatus.BAD_REQUEST)
        if "{" in self.path:
            problems += [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND]
        if self.method != "GET":
            problems += [HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS]
        if self.method == "PUT" and any(
            isinstance(parser, MultiPartParser) for parser in self.view.get_parsers()
        ):
            problems += OF_A_FILE
        return problems


def _answer(status: HTTPStatus) -> OpenApiResponse:
    code, detail = DETAILS[status]
    example = OpenApiExample(
        code,
        value=problem(status, code, detail),
        media_type=MEDIA_TYPE,
        response_only=True,
        status_codes=[str(status.value)],
    )
    return OpenApiResponse(ProblemSerializer, status.phrase, [example])
