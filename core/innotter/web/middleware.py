from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from innotter.web.errors import language_of

type GetResponse = Callable[[HttpRequest], HttpResponse]


class LanguageMiddleware:
    """People read the site in their language; the API has one of its own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return self.get_response(request)
        with translation.override(language_of(request)):
            return self.get_response(request)
