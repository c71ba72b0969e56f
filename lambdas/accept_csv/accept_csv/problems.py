"""Refusals, as problem documents (RFC 9457) in the shape that all of Innotter speaks."""

import json
from http import HTTPStatus
from typing import Any

type Response = dict[str, Any]


class Refused(Exception):
    """`code` is a stable snake_case word for programs, `detail` a sentence for people."""

    def __init__(self, code: str, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


def answer(status: int, document: dict[str, Any], media_type: str = "application/json") -> Response:
    """What API Gateway turns into an HTTP response; REST and HTTP APIs take the same."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": media_type, "X-Content-Type-Options": "nosniff"},
        "body": json.dumps(document, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def problem(refusal: Refused) -> Response:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status.value,
        "detail": refusal.detail,
        "code": refusal.code,
    }
    if refusal.status == HTTPStatus.BAD_REQUEST:
        document["errors"] = [{"field": "file", "code": refusal.code, "detail": refusal.detail}]
    response = answer(refusal.status, document, "application/problem+json")
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"]["Retry-After"] = "5"
    return response
