from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from innotter.accounts.models import User
from innotter_contracts.problems import challenge


class AccessToken(BaseAuthentication):
    """Takes over what AccessTokenMiddleware has established: the user, and the token's claims."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        user = request._request.user
        claims = getattr(request._request, "claims", None)
        return (user, claims) if user.is_authenticated else None

    def authenticate_header(self, request: Request) -> str:
        return challenge()


def current_user(request: Request) -> User:
    """The user who calls an action that only users may call."""
    assert isinstance(request.user, User)
    return request.user


class AccessTokenSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = AccessToken
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
