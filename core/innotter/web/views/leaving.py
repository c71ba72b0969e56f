"""Taking one's data along, leaving, and coming back."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from innotter.accounts import leaving
from innotter.accounts.middleware import session_of
from innotter.common.clients import client_of
from innotter.common.errors import NotFound
from innotter.exports.selectors import export_of, url_of
from innotter.exports.services import request_export
from innotter.web.forms import CurrentPasswordForm
from innotter.web.shortcuts import (
    member,
    members_only,
    read_only,
    readable_form,
    refused,
    see_other,
)


@readable_form
@members_only
def account(request: HttpRequest) -> HttpResponse:
    """Each part is a form of its own, whose button names it."""
    part = request.POST.get("part", "") if request.method == "POST" else ""
    if part == "restore":
        leaving.restore(actor=member(request))
        messages.success(request, _("Your account is restored. Everything is where it was."))
        return see_other("/settings/account")
    given = {
        name: CurrentPasswordForm(request.POST if part == name else None, auto_id=f"{name}-%s")
        for name in PARTS
    }
    form = given.get(part)
    if (
        form is not None
        and form.is_valid()
        and not refused(form, lambda: PARTS[part](request, form))
    ):
        return see_other(f"/settings/account#{part}")
    context = {**given, "archive": export_of(member(request)), "moment": member(request).deletes_at}
    return render(request, "web/account.html", context)


@read_only
@members_only
def download(request: HttpRequest) -> HttpResponse:
    """To the archive, by a URL of five minutes."""
    url = url_of(export_of(member(request)))
    if url is None:
        raise NotFound
    return see_other(url)


def _export(request: HttpRequest, form: forms.Form) -> None:
    request_export(actor=member(request), client=client_of(request), **form.cleaned_data)


def _leave(request: HttpRequest, form: forms.Form) -> None:
    leaving.leave(
        actor=member(request),
        client=client_of(request),
        session_id=session_of(request).id,
        **form.cleaned_data,
    )


PARTS: dict[str, Callable[[HttpRequest, forms.Form], None]] = {"export": _export, "leave": _leave}
