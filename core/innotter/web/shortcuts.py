"""What several views of the site do."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django import forms
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
    QueryDict,
)
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from innotter.accounts.middleware import session_of
from innotter.accounts.models import User
from innotter.accounts.selectors import user_formerly_at
from innotter.accounts.sessions import is_password_fresh
from innotter.common.errors import Conflict, Forbidden, Invalid, NotFound
from innotter.common.maintenance import last_known, maintenance
from innotter.common.models import Maintenance
from innotter.common.serializers import id_from
from innotter.pages.selectors import page_formerly_at
from innotter.posts.models import Post
from innotter.posts.services import KeyReused, create_post
from innotter.web.forms import PostForm
from innotter.web.refusals import in_words

# Of a conflict, the field that says it.
FIELD_OF = {"username_taken": "username", "email_taken": "email", "uuid_taken": "uuid"}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A longer address leads nowhere: browsers and gateways would cut it.
LONGEST_NEXT = 4000
# Of ours, with a path that leads back within another.
LONGEST_URL = 30_000
# So much of what a stranger wrote comes back with them from the login.
LONGEST_TEXT = 500
# What waits for a press after the login, in the address of what it is done to.
ACTION = re.compile(r"(?P<thing>/@.+)/(?P<act>like|follow)")
ASKED = re.compile(r"[?&]act=\w*$")

# The tag of a message that a post or a reply is made: its draft has done its work.
POSTED = "posted"

type View = Callable[..., HttpResponse]

read_only = require_http_methods(["GET", "HEAD"])
readable_form = require_http_methods(["GET", "HEAD", "POST"])
form_only = require_POST


def maintenance_of(request: HttpRequest) -> dict[str, Any]:
    """For every template, looked at where one shows it."""
    return {"maintenance": maintenance_shown}


def maintenance_shown() -> Maintenance | None:
    """Who reads a page that needs no database is not to miss it."""
    try:
        return maintenance()
    except DatabaseFailure:
        return last_known()


def members_only(view: View) -> View:
    """Strangers are sent to log in, and come back to where they were."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        return to_login(request)

    return guarded


def leads_on(view: View) -> View:
    """The address of a page or a person that has another name by now leads on to it."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound:
            if request.method not in {"GET", "HEAD"}:
                raise
            return _to_present_name(request, **kwargs)

    return guarded


def _to_present_name(request: HttpRequest, uuid: str = "", username: str = "") -> HttpResponse:
    """Raises NotFound."""
    if uuid:
        old, new = f"/@{uuid}", f"/@{page_formerly_at(uuid, request.user).uuid}"
    else:
        old, new = f"/u/{username}", f"/u/{user_formerly_at(username, request.user).username}"
    return moved(request.get_full_path().replace(old, new, 1))


def recent_password(view: View) -> View:
    """For members: an admin is asked for the password again where it was given too long ago."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if member(request).is_admin and not is_password_fresh(session_of(request)):
            return see_other(f"/login/again?{urlencode({'next': request.get_full_path()})}")
        return view(request, *args, **kwargs)

    return guarded


def at_core_url(view: View) -> View:
    """Passkeys belong to the host of CORE_URL: who has come by another name of this machine, or to
    another port, is led there."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD") and _is_other_name(request.get_host()):
            return HttpResponseRedirect(
                settings.CORE_URL + request.get_full_path(), status=302, max_length=LONGEST_URL
            )
        return view(request, *args, **kwargs)

    return guarded


def _is_other_name(host: str) -> bool:
    """Of those that a browser on the same machine may use. A gateway that leaves the port out of
    `Host` is none, and nobody is sent in a circle."""
    asked, wanted = urlsplit(f"//{host}"), urlsplit(settings.CORE_URL)
    ours = LOOPBACK if wanted.hostname in LOOPBACK else (wanted.hostname,)
    if asked.hostname not in ours:
        return False
    return asked.hostname != wanted.hostname or asked.port not in (None, wanted.port)


def with_next(path: str, request: HttpRequest) -> str:
    """The path, with where to go afterwards."""
    back = next_of(request)
    return path if back == "/" else f"{path}?{urlencode({'next': back})}"


def to_login(request: HttpRequest) -> HttpResponse:
    """From there back to where the stranger was, with what they wrote or pressed."""
    back = _asked_again(request) if request.method == "POST" else request.get_full_path()
    url = f"/login?{urlencode({'next': back})}"
    if request.headers.get("HX-Request"):
        # The whole page goes there, and not the part that a swap would change.
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return see_other(url)


def _asked_again(request: HttpRequest) -> str:
    """Where what a stranger wanted to do waits for one more press. A link does nothing by itself:
    anybody can make one."""
    if found := ACTION.fullmatch(request.path):
        return f"{found['thing']}?{urlencode({'act': found['act']})}"
    back = origin_of(request)
    if text := request.POST.get("content", "")[:LONGEST_TEXT]:
        path, _hash, _fragment = back.partition("#")
        asked = {"text": text} if request.path == "/" else {"text": text, "act": "reply"}
        back = f"{path}{'&' if '?' in path else '?'}{urlencode(asked)}"
    return back


def member(request: HttpRequest) -> User:
    """Who is signed in, in a view that is for members only."""
    return cast(User, request.user)


def id_or_not_found(text: str) -> UUID:
    """Raises NotFound."""
    try:
        return id_from(text)
    except ValueError:
        raise NotFound from None


def sent(request: HttpRequest) -> QueryDict | None:
    """What binds a form: all that a POST says, be it nothing."""
    return request.POST if request.method == "POST" else None


def uploaded(request: HttpRequest) -> tuple[Any, Any]:
    """The same with files."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def see_other(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=303, max_length=LONGEST_URL)


def moved(url: str) -> HttpResponse:
    """For good: to where a thing is called by its present name."""
    return HttpResponsePermanentRedirect(url, max_length=LONGEST_URL)


def origin_of(request: HttpRequest) -> str:
    """The page of ours on which a form was sent, or the start. Nothing is asked there again."""
    return ASKED.sub("", _own(request.headers.get("Referer", ""), request)) or "/"


def next_of(request: HttpRequest) -> str:
    """Where `?next=` leads, if it stays on this origin; else the start."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return _own(wanted, request) or "/"


def _own(url: str, request: HttpRequest) -> str:
    fine = len(url) <= LONGEST_NEXT and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if fine else ""


def refused(form: forms.Form, action: Callable[[], object]) -> bool:
    """Does it; whether it was refused, and the form then says why beside its field."""
    try:
        action()
    except Invalid as error:
        form.add_error(_shown(form, error.field), in_words(error))
    except (Conflict, Forbidden) as error:
        form.add_error(_shown(form, FIELD_OF.get(error.code, "")), in_words(error))
    return bool(form.errors)


def _shown(form: forms.Form, field: str) -> str | None:
    """None where nobody would see what is said beside the field."""
    return field if field in form.fields and not form[field].is_hidden else None


def written(request: HttpRequest, composer: PostForm, reply_to: Post | None = None) -> Post | None:
    """The post that the form asks for, made once however often the form is sent. None where it was
    refused, and the form then says why."""
    given = composer.cleaned_data
    found: list[Post] = []

    def write() -> None:
        try:
            made = create_post(
                actor=member(request),
                page=given["page"],
                content=given["content"],
                reply_to=reply_to,
                idempotency_key=given["key"] or None,
            )
            found.append(made)
        except KeyReused as error:
            composer.renew_key()
            raise Conflict(_("You have sent this form before, with other words.")) from error

    refused(composer, write)
    return found[0] if found else None
