from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from innotter.accounts import selectors
from innotter.accounts.tokens import verify_access_token
from innotter.common.problems import unauthorized
from innotter_contracts.tokens import InvalidToken, bearer_token


class AccessTokenMiddleware:
    """Sets `request.user` of API requests: the user of the access token, or AnonymousUser.

    An invalid token is refused here, on public endpoints too. The user is read
    afresh on each request, so that a block, or the end of a session, works at once, and no
    role in the token is trusted. The admin panel's session counts for nothing here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        request.user = AnonymousUser()
        header = request.headers.get("Authorization")
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
            request.user, request.claims = user, claims  # type: ignore[attr-defined]
        return self.get_response(request)
