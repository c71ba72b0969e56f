"""What people read where something went wrong: ERROR_PAGE of the settings."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy, ngettext

from innotter.common.maintenance import last_known
from innotter.common.problems import response
from innotter.web.shortcuts import origin_of
from innotter_contracts.problems import Problem

log = structlog.get_logger(__name__)

# Heading and explanation, by the problem's code or else its status.
WORDS: dict[str | int, tuple[Any, Any]] = {
    "user_blocked": (
        gettext_lazy("This account is blocked"),
        gettext_lazy(
            "Its pages and posts are hidden, and nobody can log in to it. If you think that this "
            "is a mistake, write to those who run this site."
        ),
    ),
    "email_unconfirmed": (
        gettext_lazy("Confirm your e-mail address first"),
        gettext_lazy(
            "Open the link in the mail that we have sent you. In the settings you can have it sent "
            "again, or to another address. Nothing was changed."
        ),
    ),
    "email_taken": (
        gettext_lazy("This address belongs to another account"),
        gettext_lazy(
            "It was confirmed there, or was its address until a short while ago. "
            "Nothing was changed."
        ),
    ),
    "second_factor_required": (
        gettext_lazy("A second factor is needed"),
        gettext_lazy(
            "Everybody who moderates here needs an authenticator app or a passkey besides the "
            "password. Set one up in the settings, under Security, and go on. Nothing was changed."
        ),
    ),
    "csrf_failed": (
        gettext_lazy("This form has expired"),
        gettext_lazy(
            "It was opened before you last logged in, or the browser did not send our cookie. "
            "Nothing was changed. Open the form anew and send it again."
        ),
    ),
    "page_private": (
        gettext_lazy("This page is private"),
        gettext_lazy("Only followers whom its owner has accepted see what is on it."),
    ),
    "maintenance": (
        gettext_lazy("Read-only for now"),
        gettext_lazy(
            "We are working on this site. Nothing was changed: keep what you wrote, and send it "
            "when we are done."
        ),
    ),
    "unknown_outcome": (
        gettext_lazy("We don't know whether that was done"),
        gettext_lazy(
            "Our database was interrupted while it saved. Look in a moment whether what you sent "
            "is there, before you send it again."
        ),
    ),
    HTTPStatus.BAD_REQUEST: (
        gettext_lazy("That could not be understood"),
        gettext_lazy("The address or the form is not one of ours."),
    ),
    HTTPStatus.FORBIDDEN: (
        gettext_lazy("You may not do this"),
        gettext_lazy("Nothing was changed."),
    ),
    HTTPStatus.NOT_FOUND: (
        gettext_lazy("There is nothing here"),
        gettext_lazy("What you look for is gone, was never there, or is not for you to see."),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        gettext_lazy("That can't be done here"),
        gettext_lazy("Nothing was changed."),
    ),
    HTTPStatus.CONFLICT: (
        gettext_lazy("That does not go together"),
        gettext_lazy("It contradicts what is there already. Nothing was changed."),
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        gettext_lazy("That is too large"),
        gettext_lazy("A picture may have 5 MB. Nothing was stored."),
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        gettext_lazy("Too many attempts"),
        gettext_lazy("Nothing was changed."),
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        gettext_lazy("Back in a moment"),
        gettext_lazy("We can't reach our data just now. Nothing of what you wrote before is lost."),
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        gettext_lazy("Something went wrong"),
        gettext_lazy("The mistake is ours, and it has been noted. Please try again."),
    ),
}


def error_page(request: HttpRequest, document: Problem, headers: Mapping[str, str]) -> HttpResponse:
    """The problem as a page in the person's language, with a way on. Where even that fails, the
    document."""
    try:
        with translation.override(language_of(request)):
            words = _words(request, document, headers)
            return render(request, "web/error.html", words, status=document["status"])
    except Exception:
        log.exception("error_page_failed")
        return response(document)


def language_of(request: HttpRequest) -> str:
    """Of the user who is signed in, or else as `Accept-Language` prefers."""
    user = getattr(request, "user", None)
    if user and user.is_authenticated:
        return str(user.language)
    return translation.get_language_from_request(request)


def _words(request: HttpRequest, document: Problem, headers: Mapping[str, str]) -> dict[str, Any]:
    status = HTTPStatus(document["status"])
    general = WORDS.get(status, WORDS[HTTPStatus.INTERNAL_SERVER_ERROR])
    heading, text = WORDS.get(document["code"], general)
    return {
        "heading": heading,
        "text": text,
        "wait": _wait(int(headers["Retry-After"])) if "Retry-After" in headers else "",
        "again": origin_of(request) if document["code"] == "csrf_failed" else "",
        "security": document["code"] == "second_factor_required",
        # Before the user is known, nobody is; who is blocked is treated as a stranger.
        "user": getattr(request, "user", AnonymousUser()),
        # No query is made for an error.
        "messages": [],
        "maintenance": last_known(),
    }


def _wait(seconds: int) -> str:
    if seconds < 60:
        n = seconds
        return ngettext("Try again in %(n)d second.", "Try again in %(n)d seconds.", n) % {"n": n}
    n = -(-seconds // 60)
    return ngettext("Try again in %(n)d minute.", "Try again in %(n)d minutes.", n) % {"n": n}
