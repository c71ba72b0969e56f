"""Every error of the core becomes an answer here, and nowhere else: a problem document, or a page
where a person asks outside the API."""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from innotter.common import errors
from innotter.common.outages import count_disk_full, is_database_away
from innotter.common.text import cut
from innotter_contracts.problems import MEDIA_TYPE, FieldError, Problem, challenge, problem

log = structlog.get_logger(__name__)

STATUS_OF: dict[type[errors.DomainError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Throttled: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
# The words of api.md where DRF has others.
CODE_OF = {
    "authentication_failed": "invalid_token",
    "not_authenticated": "unauthenticated",
    "permission_denied": "forbidden",
    "parse_error": "malformed",
}


# Bounds of the errors in one response.
MOST_ERRORS, LONGEST_DETAIL = 20, 300


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. None for an error that nobody foresaw: Django then calls server_error."""
    match error:
        case Http404():
            error = exceptions.NotFound(errors.NotFound.detail)
        case PermissionDenied():
            error = exceptions.PermissionDenied()
    match error:
        case errors.DomainError():
            document, headers = _of_domain(error), _headers(error)
        case exceptions.APIException():
            document, headers = _of_drf(error), _headers(error)
        case _:
            return None
    set_rollback()
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge()
    return Response(document, document["status"], headers=headers, content_type=MEDIA_TYPE)


def status_of(kind: type[errors.DomainError]) -> HTTPStatus:
    return next(STATUS_OF[known] for known in kind.__mro__ if known in STATUS_OF)


def _of_domain(error: errors.DomainError) -> Problem:
    status = status_of(type(error))
    if isinstance(error, errors.Invalid):
        one = FieldError(field=error.field, code=error.code, detail=str(error))
        return problem(status, "invalid", "Invalid input.", errors=[one])
    return problem(status, error.code, str(error))


def _of_drf(error: exceptions.APIException) -> Problem:
    if isinstance(error, exceptions.ValidationError):
        return problem(
            HTTPStatus.BAD_REQUEST,
            "invalid",
            "Invalid input.",
            errors=list(islice(_field_errors(error.detail), MOST_ERRORS)),
        )
    code = str(error.get_codes())
    return problem(error.status_code, CODE_OF.get(code, code), _said(error.detail))


def _said(detail: Any) -> str:
    """It may quote what came in, without end, and lone surrogates too, which no answer carries."""
    return cut(str(detail), LONGEST_DETAIL).encode(errors="replace").decode()


def _field_errors(detail: Any, field: str = "") -> Any:
    """DRF's nested dicts and lists of details, flattened: `tags.0` names the first tag."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else name
            yield from _field_errors(inner, f"{field}.{own}".strip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, field)
    else:
        yield FieldError(field=field, code=detail.code or "invalid", detail=_said(detail))


def _headers(error: errors.DomainError | exceptions.APIException) -> dict[str, str]:
    if isinstance(error, errors.Unavailable | errors.Throttled):
        return {"Retry-After": str(error.retry_after)}
    return {}


def response(document: Problem, headers: dict[str, str] | None = None) -> JsonResponse:
    """A problem document from outside DRF: middleware and Django's own errors."""
    return JsonResponse(
        document, status=document["status"], headers=headers, content_type=MEDIA_TYPE
    )


def unauthorized(detail: str, code: str = "invalid_token") -> JsonResponse:
    document = problem(HTTPStatus.UNAUTHORIZED, code, detail)
    return response(document, {"WWW-Authenticate": challenge(detail)})


def method_not_allowed() -> JsonResponse:
    document = problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed.")
    return response(document, {"Allow": "GET, HEAD"})


def wants_page(request: HttpRequest) -> bool:
    """Whether `Accept` prefers HTML, outside the API. Who takes anything gets a document."""
    if request.path.startswith("/api/"):
        return False
    types = ["application/problem+json", "application/json", "text/html"]
    return request.get_preferred_type(types) == "text/html"


def answer(
    request: HttpRequest, document: Problem, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """The document as it is, or the page that ERROR_PAGE makes of it."""
    headers = dict(headers or {})
    if wants_page(request):
        found: HttpResponse = import_string(settings.ERROR_PAGE)(request, document, headers)
    else:
        found = response(document, headers)
    for name, value in headers.items():
        found[name] = value
    return found


def answer_to(request: HttpRequest, error: errors.DomainError) -> HttpResponse:
    """To an error of the domain outside DRF."""
    headers = _headers(error)
    document = _of_domain(error)
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge()
    return answer(request, document, headers)


# Django's handlers, named in config/urls.py.


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    _refused(request, type(exception).__name__)
    if isinstance(exception, RequestDataTooBig):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return answer(request, problem(status, "too_large", "Request body too large."))
    return answer(request, problem(HTTPStatus.BAD_REQUEST, "malformed", "Invalid request."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    _refused(request, type(exception).__name__)
    return answer_to(request, errors.Forbidden())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form is not one of ours, or its page was opened before the last login."""
    _refused(request, reason)
    failed = problem(HTTPStatus.FORBIDDEN, "csrf_failed", "The form has expired: open it anew.")
    return answer(request, failed)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer_to(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Reveals nothing of the error: the log has it, under the request's id.

    Django calls this while it handles an error raised anywhere: in a view, a middleware, a
    template, the admin panel. So this is the one place that detects an unavailable database, and
    what a middleware cannot do without.
    """
    error = sys.exception()
    if isinstance(error, errors.Unavailable):
        log.warning(error.code, reason=repr(error.__cause__ or error))
        return answer_to(request, error)
    if error is not None and is_database_away(error):
        count_disk_full(error)
        log.warning("database_unavailable", reason=str(error).strip())
        # A replica goes on answering; who asks anew may meet the server that can be written to.
        connection.close()
        return answer_to(request, errors.DatabaseUnavailable())
    internal = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Internal server error.")
    return answer(request, internal)


def _refused(request: HttpRequest, reason: str) -> None:
    """For the request's log line: the response does not contain the reason."""
    request.refused = reason  # type: ignore[attr-defined]
