"""Problem documents (RFC 9457): the one shape of an error in both services."""

from http import HTTPStatus
from typing import TypedDict

MEDIA_TYPE = "application/problem+json"


class FieldError(TypedDict):
    field: str
    code: str
    detail: str


class Problem(TypedDict, total=False):
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]


def problem(
    status: int, code: str, detail: str, *, errors: list[FieldError] | None = None
) -> Problem:
    """`code` is a stable snake_case word for programs, `detail` a sentence for people."""
    document = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
    )
    if status == HTTPStatus.BAD_REQUEST:
        document["errors"] = errors or []
    return document


def challenge(detail: str | None = None) -> str:
    """The `WWW-Authenticate` header that every 401 carries (RFC 6750)."""
    if detail is None:
        return 'Bearer realm="innotter"'
    return f'Bearer realm="innotter", error="invalid_token", error_description="{detail}"'
