"""The ways to an account, by REGISTRATION and EMAIL_CONFIRMATION."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _

from innotter.accounts.mailboxes import needs_confirmation
from innotter.accounts.models import User
from innotter.accounts.registrations import sign_up
from innotter.common.clients import client_of
from innotter.web.forms import RegistrationForm
from innotter.web.shortcuts import next_of, readable_form, refused, sent
from innotter.web.views.login import log_in_as


@readable_form
def register(request: HttpRequest) -> HttpResponse:
    """A new account and a session in it, or a claim on one and a page that says how to go on."""
    invite = request.POST.get("invite") or request.GET.get("invite", "")
    if not _is_open(invite):
        return render(request, "web/register_closed.html", {"mode": settings.REGISTRATION})
    form = RegistrationForm(sent(request), initial={"invite": invite})
    if request.method == "POST" and form.is_valid():
        given, client = form.cleaned_data, client_of(request)
        language = translation.get_language()
        made: list[User | None] = []
        if not refused(
            form, lambda: made.append(sign_up(client=client, language=language, **given))
        ):
            if made[0]:
                if needs_confirmation():
                    asked = _(
                        "We have sent a mail to %(address)s: open the link in it to confirm it."
                    )
                    messages.success(request, asked % {"address": given["email"]})
                return log_in_as(request, given["username"], given["password"])
            context = {"address": given["email"], "mode": settings.REGISTRATION}
            return render(request, "web/register_mailed.html", context)
    return render(request, "web/register.html", {"form": form, "next": next_of(request)})


def _is_open(invite: str) -> bool:
    match settings.REGISTRATION:
        case "closed":
            return False
        case "invitation":
            return bool(invite)
    return True
