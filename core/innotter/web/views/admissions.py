"""Whom moderators let in: invitations, and registrations that wait for them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from innotter.common.errors import Conflict
from innotter.moderation import admissions
from innotter.moderation.policies import require_moderator
from innotter.moderation.selectors import invitations, waiting_registrations
from innotter.web.forms import InvitationForm, ReasonForm
from innotter.web.listing import listing
from innotter.web.refusals import in_words
from innotter.web.shortcuts import form_only, member, members_only, refused, see_other, sent

TABS = ("invites", "registrations")


def context_of(
    request: HttpRequest, tab: str, form: InvitationForm | None = None
) -> dict[str, Any]:
    """For the tab of /moderation that shows it."""
    select = invitations if tab == "invites" else waiting_registrations
    return {
        "tab": tab,
        "listing": listing(request, select),
        "form": form or InvitationForm(),
        "register_url": f"{settings.CORE_URL}/register",
        "mode": settings.REGISTRATION,
    }


@form_only
@members_only
def invite(request: HttpRequest) -> HttpResponse:
    require_moderator(member(request))
    form = InvitationForm(sent(request))

    def create() -> None:
        admissions.create_invitation(
            actor=member(request),
            uses=form.cleaned_data["uses"],
            expires_at=timezone.now() + timedelta(days=form.cleaned_data["days"]),
        )

    if form.is_valid() and not refused(form, create):
        messages.success(request, _("The invitation is made: send its link on."))
        return see_other("/moderation?show=invites")
    return render(request, "web/moderation.html", context_of(request, "invites", form))


@form_only
@members_only
def withdraw(request: HttpRequest, code: str) -> HttpResponse:
    admissions.withdraw_invitation(actor=member(request), code=code)
    messages.success(request, _("The invitation is withdrawn."))
    return see_other("/moderation?show=invites")


@form_only
@members_only
def decide(request: HttpRequest, id: str) -> HttpResponse:
    """`answer` is approve or reject, with a reason that the newcomer reads."""
    require_moderator(member(request))
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    given: dict[str, Any] = {"registration_id": UUID(id), "reason": reason}
    try:
        if request.POST.get("answer") == "approve":
            admissions.approve_registration(actor=member(request), **given)
            messages.success(request, _("The account is made."))
        else:
            admissions.reject_registration(actor=member(request), **given)
            messages.success(request, _("The registration is rejected."))
    except Conflict as error:
        messages.error(request, in_words(error))
    return see_other("/moderation?show=registrations")
