"""The admin panel as a whole; what is in it stands in the apps."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse

from innotter.accounts.middleware import session_of
from innotter.accounts.models import User
from innotter.accounts.policies import lacks_second_factor, require_second_factor
from innotter.accounts.sessions import is_password_fresh
from innotter.common.problems import not_found
from innotter.statistics.metrics import figures_of_instance
from innotter.web.shortcuts import next_of, see_other
from innotter.web.views.login import log_out

admin.site.site_title = admin.site.site_header = "Innotter"
admin.site.index_title = "Admin panel"
admin.site.index_template = "config/admin_index.html"
# The lists need the space.
admin.site.enable_nav_sidebar = False
# Roles are ours.
admin.site.unregister(Group)
# So is the change of a password, which ends the user's sessions.
admin.site.password_change = not_found  # type: ignore[method-assign,assignment]
admin.site.password_change_done = not_found  # type: ignore[method-assign,assignment]


def is_open_to(request: HttpRequest) -> bool:
    """To admins who have what the operator wants of them, and gave their password not long ago."""
    user = request.user
    if not (isinstance(user, User) and user.is_admin) or lacks_second_factor(user):
        return False
    return is_password_fresh(session_of(request))


def log_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The site's login, or what it asks of an admin again; then back.

    Raises SecondFactorRequired.
    """
    back = urlencode({"next": request.GET.get("next") or "/admin/"})
    if not isinstance(request.user, User):
        return see_other(f"/login?{back}")
    if not request.user.is_admin:
        raise PermissionDenied
    require_second_factor(request.user)
    return see_other(next_of(request) if is_open_to(request) else f"/login/again?{back}")


def end(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The session of the site is that of the panel."""
    return log_out(request)


django_index = admin.site.index


def index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's, with the size of the instance; without it where that takes too long to count."""
    try:
        instance = figures_of_instance()
    except DatabaseFailure:
        instance = None
    return django_index(request, {**(extra_context or {}), "instance": instance})


admin.site.index = index  # type: ignore[method-assign,assignment]
admin.site.has_permission = is_open_to  # type: ignore[method-assign]
admin.site.login = log_in  # type: ignore[method-assign]
admin.site.logout = end  # type: ignore[method-assign,assignment]
