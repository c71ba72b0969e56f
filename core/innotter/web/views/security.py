"""What somebody logs in with besides a password."""

from collections.abc import Callable
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from innotter.accounts import second_factor, sessions
from innotter.accounts.middleware import session_of
from innotter.accounts.models import User
from innotter.accounts.policies import lacks_second_factor
from innotter.accounts.second_factor import MOST_PASSKEYS, Proof
from innotter.accounts.selectors import passkeys_of, second_factor_of
from innotter.common.clients import client_of
from innotter.common.pagination import Window
from innotter.web.forms import CodeForm, PasskeyForm, credential_of
from innotter.web.shortcuts import (
    at_core_url,
    form_only,
    id_or_not_found,
    member,
    members_only,
    readable_form,
    refused,
    see_other,
)
from innotter.web.templatetags.web import device
from innotter.web.views.account import sessions_context
from innotter.web.views.login import keep

PAGE = "/settings/security"


@readable_form
@members_only
@at_core_url
def security(request: HttpRequest) -> HttpResponse:
    """Each part is a form, whose button names it. Recovery codes are in the answer to the form that
    made them, and never again."""
    part = request.POST.get("part", "")
    code = CodeForm(request.POST if part == "turn_on" else None, auto_id="totp-%s")
    passkey = _passkey_form(request, request.POST if part == "add_passkey" else None)
    filled: dict[str, forms.Form] = {"turn_on": code, "add_passkey": passkey}
    if request.method == "POST" and part in PARTS:
        if not second_factor.is_login_recent(session_of(request)):
            return see_other(f"/login/again?next={PAGE}")
        form = filled.get(part, forms.Form({}))
        codes: list[str] = []
        if form.is_valid() and not refused(form, lambda: codes.extend(_done(request, part))):
            if not codes:
                return see_other(PAGE)
            return render(request, "web/security.html", _context(request, codes=codes))
        if part not in filled:
            messages.error(request, " ".join(map(str, form.non_field_errors())))
            return see_other(PAGE)
    return render(request, "web/security.html", _context(request, code=code, passkey=passkey))


@form_only
@members_only
def passkey_options(request: HttpRequest) -> HttpResponse:
    """For the script, which hands them to the browser. The form's token of CSRF is with it."""
    return JsonResponse(
        second_factor.passkey_creation(actor=member(request), proof=_proof(request))
    )


def _done(request: HttpRequest, part: str) -> list[str]:
    """New recovery codes, if there are. The session goes on with another cookie."""
    codes = PARTS[part](request) or []
    if part != "set_up":
        keep(request, sessions.renew_cookie(session=session_of(request)))
    request.user = User.objects.get(pk=member(request).pk)
    return codes


def _proof(request: HttpRequest) -> Proof:
    return Proof(client_of(request), session_of(request).id)


def _set_up(request: HttpRequest) -> None:
    second_factor.set_up_totp(actor=member(request), proof=_proof(request))


def _turn_on(request: HttpRequest) -> list[str]:
    return second_factor.confirm_totp(
        actor=member(request),
        client=client_of(request),
        session_id=session_of(request).id,
        code=request.POST["code"],
    )


def _turn_off(request: HttpRequest) -> None:
    second_factor.remove_totp(actor=member(request), proof=_proof(request))
    messages.success(request, _("The authenticator app is turned off."))


def _renew_codes(request: HttpRequest) -> list[str]:
    return second_factor.renew_recovery_codes(actor=member(request), proof=_proof(request))


def _add_passkey(request: HttpRequest) -> list[str]:
    _passkey, codes = second_factor.add_passkey(
        actor=member(request),
        session_id=session_of(request).id,
        credential=credential_of(request),
        name=request.POST["name"],
    )
    messages.success(request, _("The passkey is added. You can log in with it alone."))
    return codes


def _remove_passkey(request: HttpRequest) -> None:
    passkey_id = id_or_not_found(request.POST.get("passkey", ""))
    second_factor.remove_passkey(
        actor=member(request), proof=_proof(request), passkey_id=passkey_id
    )
    messages.success(request, _("The passkey is removed."))


# What the button of each part does.
PARTS: dict[str, Callable[[HttpRequest], list[str] | None]] = {
    "set_up": _set_up,
    "turn_on": _turn_on,
    "turn_off": _turn_off,
    "codes": _renew_codes,
    "add_passkey": _add_passkey,
    "remove_passkey": _remove_passkey,
}


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    me = member(request)
    recent = second_factor.is_login_recent(session_of(request))
    setup = second_factor.waiting_setup(me) if recent else None
    return {
        "code": CodeForm(auto_id="totp-%s"),
        "passkey": _passkey_form(request),
        "has": second_factor_of(me),
        "passkeys": passkeys_of(me, Window(MOST_PASSKEYS)),
        "recent": recent,
        "needed": lacks_second_factor(me),
        "setup": setup,
        "secret": _in_groups(setup.secret) if setup else "",
        "qr": _qr(setup.uri) if setup else "",
        **sessions_context(request),
        **more,
    }


def _passkey_form(request: HttpRequest, sent: QueryDict | None = None) -> PasskeyForm:
    name = device(request.headers.get("User-Agent", ""))
    return PasskeyForm(sent, auto_id="passkey-%s", initial={"name": name})


def _in_groups(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def _qr(uri: str) -> SafeString:
    """As SVG within the page: no address leads to a secret."""
    drawn = segno.make(uri, error="m").svg_inline(
        border=3, omitsize=True, light="#fff", svgclass="qr", lineclass=None
    )
    return mark_safe(drawn)  # noqa: S308 (of segno, which draws squares)
