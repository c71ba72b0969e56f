"""The way in, by a password and perhaps a second step or by a passkey alone, and the way out."""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.utils.translation import gettext as _

from innotter.accounts import challenges, factors, logins, passwords, sessions
from innotter.accounts.middleware import session_of
from innotter.accounts.selectors import second_factor_of
from innotter.common.clients import client_of
from innotter.web.forms import CodeForm, ConfirmForm, LoginForm, credential_of
from innotter.web.refusals import in_words
from innotter.web.shortcuts import (
    at_core_url,
    form_only,
    member,
    members_only,
    next_of,
    readable_form,
    refused,
    see_other,
    sent,
    with_next,
)

# Holds the challenge between the two steps.
STEP_COOKIE = f"{settings.COOKIE_PREFIX}login"

TOO_LATE = (challenges.InvalidChallenge, factors.WrongPasskey)


@readable_form
@at_core_url
def log_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST" and request.user.is_authenticated:
        return see_other(next_of(request))
    form = LoginForm(sent(request))
    if request.method == "POST" and form.is_valid():
        try:
            return log_in_as(request, **form.cleaned_data)
        except passwords.WrongCredentials:
            form.add_error(None, _("There is no account with this name and password."))
    return render(request, "web/login.html", {"form": form, "next": next_of(request)})


@readable_form
@at_core_url
def second_step(request: HttpRequest) -> HttpResponse:
    """Of a login whose password was right."""
    challenge = request.COOKIES.get(STEP_COOKIE, "")
    methods = logins.methods_of(challenge)
    if not methods:
        return _begin_again(request)
    form = CodeForm(sent(request))
    recovery = request.GET.get("with") == "recovery_code" or "totp" not in methods
    if recovery:
        form.ask_for_recovery_code()
    if request.method == "POST" and form.is_valid():
        try:
            token = logins.finish_login_to_site(
                challenge=challenge, client=client_of(request), **form.cleaned_data
            )
            return _enter(request, token)
        except factors.WrongCode as error:
            form.add_error("code", in_words(error))
        except challenges.InvalidChallenge:
            return _begin_again(request)
    context = {"form": form, "recovery": recovery, "methods": methods, "next": next_of(request)}
    return render(request, "web/second_step.html", context)


@form_only
def passkey_options(request: HttpRequest) -> HttpResponse:
    """For the script, which hands them to the browser. The form's token of CSRF is with it."""
    return JsonResponse(logins.passkey_request(client=client_of(request)))


@form_only
def passkey(request: HttpRequest) -> HttpResponse:
    """The script puts what the browser gave it into the form, and sends it."""
    try:
        token = logins.log_in_to_site_by_passkey(
            passkey=credential_of(request), client=client_of(request)
        )
    except TOO_LATE as error:
        messages.error(request, in_words(error))
        return see_other(with_next("/login", request))
    return _enter(request, token)


@readable_form
@members_only
@at_core_url
def confirm(request: HttpRequest) -> HttpResponse:
    """The password or a factor again, for what needs a recent one, and back to it."""
    form = ConfirmForm(sent(request))
    has = second_factor_of(member(request))
    if not has.totp:
        form.ask_for_password_alone()
    if request.method == "POST" and form.is_valid():
        given = {name: value for name, value in form.cleaned_data.items() if value}
        if _confirmed(request, form, given):
            return see_other(next_of(request))
    context = {"form": form, "has": has, "next": next_of(request)}
    return render(request, "web/confirm.html", context)


@form_only
def log_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        sessions.log_out_of_site(session=session_of(request))
    request.cookie_token = ""  # type: ignore[attr-defined]
    return see_other("/")


def log_in_as(request: HttpRequest, login: str, password: str) -> HttpResponse:
    """Where to go then: on, or to the second step. Raises Throttled, WrongCredentials,
    UserBlocked."""
    try:
        token = logins.log_in_to_site(login=login, password=password, client=client_of(request))
    except logins.SecondFactorNeeded as needed:
        response = see_other(with_next("/login/second-factor", request))
        _set_step(response, needed.challenge, challenges.CHALLENGE_LIFE)
        return response
    return _enter(request, token)


def keep(request: HttpRequest, token: str) -> None:
    """As the cookie of the session. Forms that were opened before it are good no longer."""
    request.cookie_token = token  # type: ignore[attr-defined]
    rotate_token(request)


def _enter(request: HttpRequest, token: str) -> HttpResponse:
    if request.user.is_authenticated:
        sessions.log_out_of_site(session=session_of(request))
    keep(request, token)
    response = see_other(next_of(request))
    if STEP_COOKIE in request.COOKIES:
        _set_step(response, "", timedelta())
    return response


def _begin_again(request: HttpRequest) -> HttpResponse:
    messages.error(request, in_words(challenges.InvalidChallenge()))
    response = see_other(with_next("/login", request))
    _set_step(response, "", timedelta())
    return response


def _set_step(response: HttpResponse, challenge: str, life: timedelta) -> None:
    response.set_cookie(
        STEP_COOKIE,
        challenge,
        max_age=life,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def _confirmed(request: HttpRequest, form: ConfirmForm, given: dict[str, str]) -> bool:
    """By what was given, of which the form wants one."""
    session, client = session_of(request), client_of(request)
    if "credential" in given:
        attempt = partial(logins.confirm_passkey, session=session, passkey=credential_of(request))
    elif "code" in given:
        attempt = partial(logins.confirm_code, session=session, code=given["code"], client=client)
    else:
        attempt = partial(
            sessions.confirm_password,
            session=session,
            password=given["password"],
            client=client,
        )
    try:
        return not refused(form, lambda: keep(request, attempt()))
    except (factors.WrongCode, *TOO_LATE) as error:
        form.add_error("code" if "code" in given else None, in_words(error))
    return False
