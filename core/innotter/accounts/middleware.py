"""Who is calling: the API asks an access token, all else the cookie of a session."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from innotter.accounts import passwords, selectors, sessions
from innotter.accounts.models import Session
from innotter.accounts.policies import UserBlocked, UserLeaving
from innotter.accounts.tokens import verify_access_token
from innotter.common.clients import client_of
from innotter.common.maintenance import maintenance
from innotter.common.middleware import AUTHORIZATION, SAFE
from innotter.common.problems import answer_to, unauthorized
from innotter.common.replicas import reading, writing
from innotter_contracts.tokens import InvalidToken, bearer_token

# They answer without the database, whatever cookie comes.
WITHOUT_SESSION = ("/api/", "/health/", "/.well-known/jwks.json")

# All that is left to who is leaving, in the API and on the site: to look at their account, restore
# it, take their data along, and log out.
OPEN_TO_LEAVING = re.compile(
    r"/api/v1/(auth/\w+|users/me(/restore|/export)?)"
    r"|/settings/account(/\w+)*|/logout|/about|/privacy|/terms|/favicon\.ico|/manifest\.webmanifest"
)
PAGE_OF_LEAVING = "/settings/account"
# Of the reads, which with replicas others may answer.
ON_PRIMARY = ("/admin/", "/health/")

type GetResponse = Callable[[HttpRequest], HttpResponse]


class AccessTokenMiddleware:
    """Sets `request.user` of API requests: the user of the access token, or AnonymousUser.

    An invalid token is refused here, on public endpoints too. The user is read afresh on each
    request, so that a block, or the end of a session, works at once, and no role in the token is
    trusted. The site's cookie counts for nothing here.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        request.user = AnonymousUser()
        header = request.META.get(AUTHORIZATION)
        if header is not None:
            try:
                claims = verify_access_token(bearer_token(header))
            except InvalidToken as error:
                return unauthorized(str(error))
            user = selectors.caller(claims.sub, claims.sid)
            if user is None:
                return unauthorized("The token's user is gone, or its session is over.")
            if user.is_blocked:
                return unauthorized("This account is blocked.", code="user_blocked")
            if user.is_leaving and not OPEN_TO_LEAVING.fullmatch(request.path):
                return answer_to(request, UserLeaving())
            request.user, request.claims = user, claims  # type: ignore[attr-defined]
        return self.get_response(request)


class SessionMiddleware:
    """Says who calls everything outside the API: the user of the session in the cookie, or nobody.

    `request.login` is the session. It is read with its user on each request, so that its end, a
    block and another role work at once. What a view puts into `request.cookie_token` is the
    session's cookie from then on; an empty one takes the cookie away. A bearer token counts for
    nothing here.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.user, request.login, request.cookie_token = AnonymousUser(), None, None  # type: ignore[attr-defined]
        token = request.COOKIES.get(settings.SITE_SESSION_COOKIE)
        if not token or request.path.startswith(WITHOUT_SESSION):
            return self._answer(request)
        session = selectors.cookie_session(token)
        if session is None:
            return self._answer(request)
        if session.user.is_blocked:
            response = answer_to(request, UserBlocked())
            drop_cookie(response)
            return response
        if session.user.is_leaving and not OPEN_TO_LEAVING.fullmatch(request.path):
            return HttpResponseRedirect(PAGE_OF_LEAVING, status=303)
        request.user, request.login = session.user, session  # type: ignore[attr-defined]
        if session.cookie_role != session.user.role and not maintenance():
            # Of two requests at once one renews it, and the other is the last of the old token.
            with suppress(passwords.WrongCredentials):
                request.cookie_token = sessions.renew_cookie(session=session)  # type: ignore[attr-defined]
        elif sessions.is_use_due(session) and sessions.note_use(
            session=session, client=client_of(request)
        ):
            request.cookie_token = token  # type: ignore[attr-defined]
        return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        token: str | None = request.cookie_token  # type: ignore[attr-defined]
        if token:
            set_cookie(response, token)
        elif token is not None:
            drop_cookie(response)
        return response


class ReplicaMiddleware:
    """Lets replicas answer what is read for a caller who only reads, and counts in the caller's
    session what others write: from there on a replica has to have caught up with it.

    The caller has been read on the primary. It is the primary that answers all else: calls that
    may write, the panel, and who has no session that could tell what they wrote.
    """

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.DATABASE_REPLICAS:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with self._routed(request):
            return self.get_response(request)

    def _routed(self, request: HttpRequest) -> AbstractContextManager[None]:
        session_id, writes = _writes(request)
        if request.method not in SAFE:
            return (
                writing(partial(sessions.count_write, session_id)) if session_id else nullcontext()
            )
        if request.path.startswith(ON_PRIMARY):
            return nullcontext()
        if not request.user.is_authenticated:
            return reading(lambda: True)
        if session_id is None or writes is None:
            return nullcontext()
        return reading(lambda: selectors.writes_of(session_id) == writes)


def _writes(request: HttpRequest) -> tuple[UUID | None, int | None]:
    """The session of the caller, if any, and how often it has written."""
    if login := getattr(request, "login", None):
        return login.pk, login.writes
    if claims := getattr(request, "claims", None):
        return claims.sid, getattr(request.user, "writes", None)
    return None, None


def set_cookie(response: HttpResponse, token: str) -> None:
    response.set_cookie(
        settings.SITE_SESSION_COOKIE,
        token,
        max_age=timedelta(days=settings.REFRESH_TOKEN_DAYS),
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: HttpResponse) -> None:
    # A browser heeds no `__Host-` cookie that is not Secure, its end included.
    response.set_cookie(
        settings.SITE_SESSION_COOKIE,
        "",
        max_age=0,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def session_of(request: HttpRequest) -> Session:
    """Of a request whose user is signed in on the site."""
    session: Session = request.login  # type: ignore[attr-defined]
    return session
