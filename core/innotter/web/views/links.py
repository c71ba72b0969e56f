"""Where the links in mails about accounts lead, and where one asks for such a mail.

Opening one changes nothing: scanners open links. A button spends it.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from innotter.accounts import mailboxes, recovery, registrations
from innotter.accounts.mail_tokens import InvalidLink, counted_link, mail_token
from innotter.accounts.models import MailToken, Registration
from innotter.common.clients import client_of
from innotter.web.forms import NewPasswordForm, ResetRequestForm
from innotter.web.shortcuts import View, readable_form, refused, see_other, sent

Purpose = MailToken.Purpose


def secret_address(view: View) -> View:
    """The address is a secret: no Referer names it, no cache keeps its page. Where it is good no
    longer, the page says so and what to do."""

    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        try:
            response = view(request, token)
        except InvalidLink:
            response = render(request, "web/dead_link.html", status=HTTPStatus.NOT_FOUND)
        response["Cache-Control"] = "private, no-store"
        patch_vary_headers(response, ["Cookie", "Accept-Language"])
        # Without the path, but still with the Origin that our forms need.
        response["Referrer-Policy"] = "strict-origin"
        return response

    return guarded


@readable_form
@secret_address
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    def confirm() -> HttpResponse:
        made = registrations.confirm(token=token, client=client_of(request))
        if made is not None:
            waiting = isinstance(made, Registration)
            return render(request, "web/registered.html", {"waiting": waiting})
        messages.success(request, _("Your e-mail address is confirmed."))
        return see_other("/")

    if request.method != "POST" and (claim := registrations.claim_of(token)):
        return render(
            request, "web/confirm_email.html", {"reader": claim, "mailbox": claim.mailbox}
        )
    return _asked(request, token, Purpose.CONFIRM, confirm)


@readable_form
@secret_address
def undo_email(request: HttpRequest, token: str) -> HttpResponse:
    def undo() -> HttpResponse:
        mailboxes.undo_email(token=token, client=client_of(request))
        messages.success(
            request,
            _("The former address is back. A mail there leads you to a new password."),
        )
        return see_other("/login")

    return _asked(request, token, Purpose.UNDO, undo)


@readable_form
def request_reset(request: HttpRequest) -> HttpResponse:
    form = ResetRequestForm(sent(request))
    if request.method == "POST" and form.is_valid():
        recovery.request_reset(
            email=form.cleaned_data["email"],
            language=translation.get_language(),
            client=client_of(request),
        )
        messages.success(
            request,
            _("If an account has this address, a mail with a link is on its way to it."),
        )
        return see_other("/login")
    return render(request, "web/request_reset.html", {"form": form})


@readable_form
@secret_address
def reset_password(request: HttpRequest, token: str) -> HttpResponse:
    found = _found(request, token, Purpose.RESET)
    form = NewPasswordForm(sent(request))
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        if not _refused(
            form,
            lambda: recovery.reset_password(
                token=token, password=password, client=client_of(request)
            ),
        ):
            messages.success(request, _("Your new password is set. Log in with it."))
            return see_other("/login")
    return render(request, "web/reset_password.html", {"form": form, "reader": found.user})


def _found(request: HttpRequest, token: str, purpose: MailToken.Purpose) -> MailToken:
    """Raises Throttled, InvalidLink."""
    with counted_link(client_of(request)):
        return mail_token(token, purpose)


def _refused(form: forms.Form, action: Callable[[], None]) -> bool:
    """As refused(), but for a link that another tab has used meanwhile."""
    gone: list[InvalidLink] = []

    def act() -> None:
        try:
            action()
        except InvalidLink as error:
            gone.append(error)

    said_no = refused(form, act)
    if gone:
        raise gone[0]
    return said_no


def _asked(
    request: HttpRequest,
    token: str,
    purpose: MailToken.Purpose,
    action: Callable[[], HttpResponse],
) -> HttpResponse:
    """A page that says what the button will do, or what it has done."""
    if request.method == "POST":
        return action()
    found = _found(request, token, purpose)
    context = {"reader": found.user, "mailbox": found.mailbox}
    return render(request, f"web/{purpose}_email.html", context)
