from collections.abc import Callable
from http import HTTPStatus
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
    """Most polls come while nothing is new anywhere: they are answered by one step into an index,
    before anybody asks who polls. All others go on to their view."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == POLLED and request.method in ("GET", "HEAD") and _is_idle(request):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return self.get_response(request)


class SiteMessagesMiddleware(MessageMiddleware):
    """The API has no next page, on which a message could be shown."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith("/api/"):
            super().process_request(request)


def _is_idle(request: HttpRequest) -> bool:
    try:
        return not is_anything_newer(Window(cursor=request.GET.get("after") or None))
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
