"""One's account: how it begins, and what one may change."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from innotter.accounts import mailboxes, services, sessions
from innotter.accounts.middleware import session_of
from innotter.accounts.selectors import is_mail_suppressed, live_sessions
from innotter.common.clients import client_of
from innotter.common.pagination import Window
from innotter.web.forms import (
    ClockForm,
    EmailForm,
    LoginsForm,
    PasswordForm,
    PictureForm,
    ProfileForm,
    UsernameForm,
)
from innotter.web.shortcuts import (
    id_or_not_found,
    member,
    members_only,
    origin_of,
    readable_form,
    refused,
    see_other,
)
from innotter.web.views.login import keep

# More sessions than this are not listed; `End all others` reaches them too.
MOST_SESSIONS = 50


@readable_form
@members_only
def settings(request: HttpRequest) -> HttpResponse:
    """Each part is a form of its own, whose button names it."""
    found = _forms(request)
    part = request.POST.get("part", "")
    if request.method == "POST" and part in PARTS:
        form = found.get(part)
        if form is None or form.is_valid():
            if form is None:
                PARTS[part](request, form)
                return _saved(request, part)
            if not refused(form, lambda: PARTS[part](request, form)):
                return _saved(request, part)
    context = {
        **sessions_context(request),
        **found,
        "suppressed": is_mail_suppressed(member(request)),
    }
    return render(request, "web/settings.html", context)


def sessions_context(request: HttpRequest) -> dict[str, object]:
    """What web/sessions.html shows, here and beside the second factor."""
    me = member(request)
    return {
        "sessions": live_sessions(me, Window(MOST_SESSIONS)),
        "current": session_of(request).id,
        "logins": LoginsForm(
            initial={"login_notifications": me.login_notifications}, auto_id="logins-%s"
        ),
    }


def _forms(request: HttpRequest) -> dict[str, forms.Form]:
    """By part; the one that was sent is bound."""
    me = member(request)
    names = ("title", "email_notifications", "language")
    initial = {
        "profile": {name: getattr(me, name) for name in names},
        "clock": {name: getattr(me, name) for name in ("time_zone", "digest_hour")},
        "username": {"username": me.username},
        "logins": {"login_notifications": me.login_notifications},
        "email": {"email": me.email},
    }
    kinds: dict[str, type[forms.Form]] = {
        "profile": ProfileForm,
        "picture": PictureForm,
        "clock": ClockForm,
        "username": UsernameForm,
        "logins": LoginsForm,
        "email": EmailForm,
        "password": PasswordForm,
    }
    sent = request.POST.get("part") if request.method == "POST" else None
    return {
        part: kind(
            request.POST if part == sent else None,
            request.FILES if part == sent else None,
            initial=initial.get(part),
            auto_id=f"{part}-%s",
        )
        for part, kind in kinds.items()
    }


def _edit(request: HttpRequest, form: forms.Form) -> None:
    services.edit_user(actor=member(request), client=client_of(request), **form.cleaned_data)


def _resend(request: HttpRequest, form: None) -> None:
    mailboxes.resend_confirmation(actor=member(request))


def _change_password(request: HttpRequest, form: forms.Form) -> None:
    session = session_of(request)
    services.edit_user(
        actor=member(request), client=client_of(request), session_id=session.id, **form.cleaned_data
    )
    keep(request, sessions.renew_cookie(session=session, authenticated_at=timezone.now()))


def _set_picture(request: HttpRequest, form: forms.Form) -> None:
    services.set_image(actor=member(request), image=form.cleaned_data["image"])


def _remove_picture(request: HttpRequest, form: None) -> None:
    services.set_image(actor=member(request), image=None)


def _end_session(request: HttpRequest, form: None) -> None:
    sessions.end_session(
        actor=member(request), session_id=id_or_not_found(request.POST.get("session", ""))
    )


def _end_others(request: HttpRequest, form: None) -> None:
    sessions.end_other_sessions(actor=member(request), session_id=session_of(request).id)


# What the button of each part does.
PARTS: dict[str, Callable[..., None]] = {
    "profile": _edit,
    "picture": _set_picture,
    "no_picture": _remove_picture,
    "clock": _edit,
    "username": _edit,
    "logins": _edit,
    "email": _edit,
    "resend": _resend,
    "password": _change_password,
    "session": _end_session,
    "other_sessions": _end_others,
}
# Where each part stands on the page.
ANCHORS = {
    "resend": "email",
    "no_picture": "picture",
    "logins": "sessions",
    "session": "sessions",
    "other_sessions": "sessions",
}


def _saved(request: HttpRequest, part: str) -> HttpResponse:
    with translation.override(request.POST.get("language") or translation.get_language()):
        said = _("Saved. All your other sessions are ended.") if part == "password" else _("Saved.")
        messages.success(request, said)
    # Sessions stand on two pages.
    beside = urlsplit(origin_of(request)).path == "/settings/security"
    page = "/settings/security" if beside else "/settings"
    return see_other(f"{page}#{ANCHORS.get(part, part)}")
