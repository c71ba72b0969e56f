"""Every error that this service answers with: a problem document (RFC 9457), made here."""

from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException

from innotter_contracts.problems import MEDIA_TYPE, FieldError, Problem, challenge, problem
from innotter_stats.store import StoreUnavailable

# Seconds after which what was unavailable may be there again.
RETRY_AFTER = 3


class Usual(NamedTuple):
    """What a status says when nothing more is known."""

    code: str
    detail: str


USUAL = {
    400: Usual("invalid", "Invalid request."),
    401: Usual("unauthenticated", "Authentication required."),
    403: Usual("forbidden", "Only the page's owner sees its statistics."),
    404: Usual("not_found", "Not found."),
    405: Usual("method_not_allowed", "Method not allowed."),
    414: Usual("target_too_long", "Request target too long."),
    431: Usual("headers_too_large", "Request headers too large."),
    500: Usual("internal", "Internal server error."),
    503: Usual("unavailable", "Service unavailable. Try again later."),
}


def problem_response(
    status: int,
    *,
    code: str | None = None,
    detail: str | None = None,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    usual = USUAL.get(status, Usual(*_phrase(status)))
    return JSONResponse(
        problem(status, code or usual.code, detail or usual.detail, errors=errors),
        status_code=status,
        headers=_headers(status, headers or {}),
        media_type=MEDIA_TYPE,
    )


def handle_errors(app: FastAPI) -> None:
    """Exceptions that are no bugs become problem documents. (The middleware sees to bugs.)"""

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        said = None if error.detail == HTTPStatus(error.status_code).phrase else error.detail
        return problem_response(error.status_code, detail=said, headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            # The first place is 'query' or 'path', the rest is the name that the caller knows.
            FieldError(field=".".join(map(str, e["loc"][1:])), code=e["type"], detail=e["msg"])
            for e in error.errors()
        ]
        return problem_response(400, errors=errors)

    @app.exception_handler(StoreUnavailable)
    async def store_unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
        return problem_response(503)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may fail in these ways, and in unforeseen ones."""
    return {
        **{status: _document(status) for status in statuses},
        # It also keeps FastAPI from documenting its own 422, which we never answer.
        "default": _document(500, description="Any other error"),
    }


def problem_schemas() -> dict[str, Any]:
    """What the documents of `documented` refer to, for the `components` of OpenAPI."""
    schema = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def _document(status: int, description: str | None = None) -> dict[str, Any]:
    usual = USUAL[status]
    return {
        "description": description or usual.detail,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": problem(status, usual.code, usual.detail, errors=_example(status)),
            }
        },
    }


def _example(status: int) -> list[FieldError] | None:
    if status != HTTPStatus.BAD_REQUEST:
        return None
    return [FieldError(field="from", code="after_to", detail="Must not be later than 'to'.")]


def _headers(status: int, given: dict[str, str]) -> dict[str, str]:
    match status:
        case 405:
            # Everything here is read. The router names GET alone, static files nothing.
            return {**given, "Allow": "GET, HEAD"}
        case 401:
            return {"WWW-Authenticate": challenge(), **given}
        case 503:
            return {"Retry-After": str(RETRY_AFTER), **given}
        case _:
            return given


def _phrase(status: int) -> tuple[str, str]:
    phrase = HTTPStatus(status).phrase
    return phrase.lower().replace(" ", "_").replace("-", "_"), f"{phrase}."
