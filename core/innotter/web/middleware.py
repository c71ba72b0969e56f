from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from innotter.common.errors import Invalid
from innotter.common.pagination import Window
from innotter.common.time_zones import zone
from innotter.feed.selectors import is_anything_newer
from innotter.web.errors import language_of

POLLED = "/feed/new"
# In an environ: that it is a poll, and finds nothing.
IDLE = "innotter.idle"

type GetResponse = Callable[[HttpRequest], HttpResponse]


class ReaderMiddleware:
    """People read the site in their language and by their clocks; the API has its own, and the
    panel is in English."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return self.get_response(request)
        with translation.override(_language_of(request)), timezone.override(_clocks_of(request)):
            return self.get_response(request)


class PollMiddleware:
    """Most polls come while nothing is new anywhere: they are answered before anybody asks who
    polls, mostly without a statement. All others go on to their view."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get(IDLE) or (
            _is_poll(request.META) and _is_idle(request.GET.get("after"))
        ):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return self.get_response(request)


class SiteMessagesMiddleware(MessageMiddleware):
    """The API has no next page, on which a message could be shown."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith("/api/"):
            super().process_request(request)


def needs_no_thread(environ: dict[str, Any]) -> bool:
    """Whether it waits for nothing: a poll, as our pages send it, of which is known by now that it
    finds nothing. That is noted, because it may not be known any more when PollMiddleware asks."""
    name, _, after = environ["QUERY_STRING"].partition("=")
    environ[IDLE] = _is_poll(environ) and name == "after" and _is_idle(after, may_look=False)
    return bool(environ[IDLE])


def _is_poll(environ: dict[str, Any]) -> bool:
    return environ["PATH_INFO"] == POLLED and environ["REQUEST_METHOD"] in ("GET", "HEAD")


def _is_idle(after: str | None, *, may_look: bool = True) -> bool:
    try:
        return not is_anything_newer(Window(cursor=after or None), may_look=may_look)
    except Invalid:
        # The view says so.
        return False


def _language_of(request: HttpRequest) -> str:
    return settings.LANGUAGE_CODE if _is_panel(request) else language_of(request)


def _clocks_of(request: HttpRequest) -> ZoneInfo:
    """UTC for strangers, whose pages are kept for all of them, and in the panel."""
    if request.user.is_authenticated and not _is_panel(request):
        return zone(request.user.time_zone)
    return zone("UTC")


def _is_panel(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")
