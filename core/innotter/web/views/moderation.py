from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from innotter.accounts.models import User
from innotter.accounts.policies import require_admin
from innotter.accounts.selectors import user_named
from innotter.common.text import isolate
from innotter.moderation import services
from innotter.moderation.models import ModerationAction
from innotter.moderation.policies import require_moderator
from innotter.pages.models import Page
from innotter.pages.selectors import is_blocked, page_at, pages_for
from innotter.web.forms import BlockPageForm, ReasonForm, RoleForm
from innotter.web.listing import listing
from innotter.web.shortcuts import (
    member,
    members_only,
    read_only,
    readable_form,
    recent_password,
    refused,
    see_other,
    sent,
)
from innotter.web.templatetags.web import page_url
from innotter.web.views import admissions

TABS = ("log", "pages", "users")


@read_only
@members_only
def overview(request: HttpRequest) -> HttpResponse:
    """What is blocked, and the log of what moderators did."""
    require_moderator(member(request))
    tab = request.GET.get("show")
    if tab in admissions.TABS:
        return render(request, "web/moderation.html", admissions.context_of(request, tab))
    tab = tab if tab in TABS else "log"
    rows: dict[str, Any] = {
        "log": _log(),
        "pages": pages_for(member(request)).filter(is_blocked()),
        "users": User.objects.filter(is_blocked=True),
    }
    found = listing(request, lambda w: w.slice(rows[tab]))
    return render(request, "web/moderation.html", {"tab": tab, "listing": found})


def _log() -> QuerySet[ModerationAction]:
    """Each row with the name that its target has by now, if it is there: as `page` or `user`."""
    target = OuterRef("target_id")
    return ModerationAction.objects.select_related("actor").annotate(
        page=Subquery(Page.objects.filter(pk=target).values("uuid")),
        user=Subquery(User.objects.filter(pk=target).values("username")),
    )


@readable_form
@members_only
@recent_password
def block_page(request: HttpRequest, uuid: str) -> HttpResponse:
    found = page_at(uuid, request.user)
    return _confirmed(
        request,
        BlockPageForm,
        lambda **given: services.block_page(actor=member(request), page=found, **given),
        heading=_("Block %(name)s") % {"name": isolate(found.name)},
        button=_("Block page"),
        back=page_url(found),
        policy=require_moderator,
    )


@readable_form
@members_only
@recent_password
def unblock_page(request: HttpRequest, uuid: str) -> HttpResponse:
    found = page_at(uuid, request.user)
    return _confirmed(
        request,
        ReasonForm,
        lambda **given: services.unblock_page(actor=member(request), page=found, **given),
        heading=_("Lift the block of %(name)s") % {"name": isolate(found.name)},
        button=_("Lift block"),
        back=page_url(found),
        policy=require_moderator,
    )


@readable_form
@members_only
@recent_password
def block_user(request: HttpRequest, username: str) -> HttpResponse:
    found = user_named(username)
    return _confirmed(
        request,
        ReasonForm,
        lambda **given: services.block_user(actor=member(request), user=found, **given),
        heading=_("Block %(name)s") % {"name": found.username},
        button=_("Block user"),
        back=f"/u/{found.username}",
        policy=require_admin,
    )


@readable_form
@members_only
@recent_password
def unblock_user(request: HttpRequest, username: str) -> HttpResponse:
    found = user_named(username)
    return _confirmed(
        request,
        ReasonForm,
        lambda **given: services.unblock_user(actor=member(request), user=found, **given),
        heading=_("Unblock %(name)s") % {"name": found.username},
        button=_("Unblock user"),
        back=f"/u/{found.username}",
        policy=require_admin,
    )


@readable_form
@members_only
@recent_password
def role(request: HttpRequest, username: str) -> HttpResponse:
    found = user_named(username)
    return _confirmed(
        request,
        RoleForm,
        lambda **given: services.set_role(actor=member(request), user=found, **given),
        heading=_("Role of %(name)s") % {"name": found.username},
        button=_("Save"),
        back=f"/u/{found.username}",
        policy=require_admin,
        initial={"role": found.role},
    )


def _confirmed(
    request: HttpRequest,
    kind: type[ReasonForm],
    service: Callable[..., object],
    *,
    heading: str,
    button: str,
    back: str,
    policy: Callable[[User], None],
    initial: dict[str, Any] | None = None,
) -> HttpResponse:
    """A page that asks for the reason, and does it: what was asked in place comes here too, and
    stays where it is refused."""
    policy(member(request))
    form = kind(sent(request), initial=initial)
    if form.is_valid() and not refused(form, lambda: service(**form.cleaned_data)):
        messages.success(request, _("Done. The moderation log has it."))
        return see_other(back)
    context = {"form": form, "heading": heading, "button": button, "back": back, "danger": True}
    return render(request, "web/form.html", context)
