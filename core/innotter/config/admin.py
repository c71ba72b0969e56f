"""The admin panel as a whole; what is in it stands in the apps."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from innotter.common.errors import Throttled
from innotter.common.problems import not_found

admin.site.site_title = admin.site.site_header = "Innotter"
admin.site.index_title = "Admin panel"
admin.site.index_template = "config/admin_index.html"
# There is no site to view; and the lists need the space.
admin.site.site_url = None
admin.site.enable_nav_sidebar = False
# Roles are ours.
admin.site.unregister(Group)
# So is the change of a password, which ends the user's sessions.
admin.site.password_change = not_found  # type: ignore[method-assign,assignment]
admin.site.password_change_done = not_found  # type: ignore[method-assign,assignment]


def log_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's page, and one that says so when there were too many attempts."""
    try:
        return _log_in(request, extra_context)
    except Throttled as error:
        answer = render(
            request,
            "config/too_many_attempts.html",
            {**admin.site.each_context(request), "title": "Too many attempts", "error": error},
            status=HTTPStatus.TOO_MANY_REQUESTS,
        )
        answer["Retry-After"] = str(error.retry_after)
        return answer


_log_in = admin.site.login
admin.site.login = log_in  # type: ignore[method-assign]
