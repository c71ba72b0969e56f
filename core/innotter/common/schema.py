"""How the OpenAPI document is written: every operation with the problems that it may answer."""

import inspect
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

from innotter.common.errors import (
    Conflict,
    DatabaseUnavailable,
    DomainError,
    NotFound,
    ReadOnly,
    Throttled,
    UnknownOutcome,
)
from innotter.common.examples import REQUESTS
from innotter.common.problems import status_of
from innotter_contracts.problems import MEDIA_TYPE, problem

DETAILS = {
    HTTPStatus.BAD_REQUEST: ("invalid", "Invalid input."),
    HTTPStatus.UNAUTHORIZED: ("invalid_token", "The token has expired."),
    HTTPStatus.NOT_FOUND: ("not_found", NotFound.detail),
    HTTPStatus.TOO_MANY_REQUESTS: ("throttled", Throttled.detail),
    HTTPStatus.CONFLICT: ("conflict", Conflict.detail),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("too_large", "Request body too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "unsupported_media_type",
        'Unsupported media type "application/json" in request.',
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        DatabaseUnavailable.code,
        DatabaseUnavailable.detail,
    ),
}

# What a PUT of a picture may answer besides.
STORAGE_UNAVAILABLE = ("storage_unavailable", "Picture storage is unavailable.")

# Refusals that are possible for any body.
OF_A_BODY = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}

# What DRF calls the actions that need no names of their own.
USUAL_ACTIONS = ("list", "create", "retrieve", "update", "partial_update", "destroy")

# The code and the detail of a problem.
type Said = tuple[str, str]


def refuses[Action: Callable[..., Any]](
    *errors: type[DomainError], reads_body: bool = False
) -> Callable[[Action], Action]:
    """What an action may refuse, besides what follows from its caller, its path and its input."""

    def declared(action: Action) -> Action:
        vars(action).update(refusals=errors, reads_body=reads_body)
        return action

    return declared


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

    def _get_request_body(self, direction: Any = "request") -> Any:
        written: Any = super()._get_request_body  # untyped there
        body: Any = written(direction)
        if body:
            instance: Any = force_instance  # untyped there
            serializer = instance(self.get_request_serializer())
            fields = getattr(serializer, "fields", ())  # none where any JSON is taken
            example = {name: REQUESTS[name] for name in fields if name in REQUESTS}
            for content in body["content"].values():
                content.setdefault("example", example)
        return body

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, said in self._problems().items():
            answer: Any = self._get_response_for_code  # untyped there
            bodies[str(status.value)] = answer(
                _answer(status, said), str(status.value), media_types=[MEDIA_TYPE]
            )
        return dict(sorted(bodies.items()))

    def _problems(self) -> dict[HTTPStatus, list[Said]]:
        """What follows from the operation's path and input, and what its action refuses besides."""
        action = getattr(self.view, getattr(self.view, "action", ""), None)
        usual = {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}
        if "{" in self.path:
            usual.add(HTTPStatus.NOT_FOUND)
        if self._is_list_view() or self.get_override_parameters():
            usual.add(HTTPStatus.BAD_REQUEST)
        if self._reads_body(action):
            usual |= OF_A_BODY
        if self.method != "GET":
            usual.add(HTTPStatus.TOO_MANY_REQUESTS)
        problems = {status: [DETAILS[status]] for status in usual}
        if self.method != "GET":
            problems[HTTPStatus.SERVICE_UNAVAILABLE] += [
                (error.code, error.detail) for error in (ReadOnly, UnknownOutcome)
            ]
        if self.method == "PUT" and any(
            isinstance(parser, MultiPartParser) for parser in self.view.get_parsers()
        ):
            problems[HTTPStatus.SERVICE_UNAVAILABLE].append(STORAGE_UNAVAILABLE)
        for error in getattr(action, "refusals", ()):
            problems.setdefault(status_of(error), []).append((error.code, error.detail))
        return problems

    def _reads_body(self, action: Any) -> bool:
        """drf-spectacular shows no body of a DELETE; `refuses` tells which one reads it."""
        if self.method == "DELETE":
            return getattr(action, "reads_body", False)
        writes = self.method in ("POST", "PUT", "PATCH")
        return writes and self.get_request_serializer() is not None


def _answer(status: HTTPStatus, said: list[Said]) -> OpenApiResponse:
    examples = [
        OpenApiExample(
            code,
            value=problem(status, code, detail),
            media_type=MEDIA_TYPE,
            response_only=True,
            status_codes=[str(status.value)],
        )
        for code, detail in dict(said).items()
    ]
    return OpenApiResponse(ProblemSerializer, status.phrase, examples)
