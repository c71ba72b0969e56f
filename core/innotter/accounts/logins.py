from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from innotter.accounts.models import Session, User
from innotter.accounts.passwords import WrongCredentials, authenticate, renew_hash
from innotter.accounts.policies import UserBlocked
from innotter.accounts.sessions import TokenPair, cookie_token, token_pair
from innotter.common.clients import Client


def log_in(*, login: str, password: str, client: Client) -> TokenPair:
    """A new session of a program. Raises Throttled, WrongCredentials, UserBlocked."""
    return _begin_session(login, password, client, token_pair)


def log_in_to_site(*, login: str, password: str, client: Client) -> str:
    """A new session of a browser: the token for its cookie. Raises as log_in() does."""
    return _begin_session(login, password, client, cookie_token)


def _begin_session[Made](
    login: str, password: str, client: Client, make: Callable[[Session], Made]
) -> Made:
    user = authenticate(login=login, password=password, client=client)
    with transaction.atomic():
        now = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        # While the password was being checked another one may have ended all sessions.
        if now.password != user.password:
            raise WrongCredentials
        if now.is_blocked:
            raise UserBlocked
        renew_hash(now, password)
        session = Session(user=now, user_agent=client.user_agent, last_used_at=timezone.now())
        session.authenticated_at = session.last_used_at
        session.save(force_insert=True)
        return make(session)
