"""How Django itself, which is the admin panel, asks for a password: as the API does."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from innotter.accounts import services
from innotter.accounts.models import User
from innotter.accounts.policies import UserBlocked
from innotter.common.clients import Client, client_of


class LimitedPasswords(BaseBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **others: Any,
    ) -> User | None:
        """Raises Throttled."""
        if username is None or password is None:
            return None
        client = client_of(request) if request else Client()
        try:
            return services.authenticate(login=username, password=password, client=client)
        except (services.WrongCredentials, UserBlocked):
            return None

    def get_user(self, user_id: UUID) -> User | None:
        return User.objects.filter(pk=user_id, is_blocked=False).first()
