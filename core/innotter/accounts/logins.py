from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.devices import remember_device
from innotter.accounts.models import AccountMail, Session, User
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
        if now.password != user.password or now.is_gone:
            raise WrongCredentials
        if now.is_blocked:
            raise UserBlocked
        renew_hash(now, password)
        session = Session(
            user=now,
            user_agent=client.user_agent,
            network=client.network,
            last_used_at=timezone.now(),
        )
        if remember_device(now, client) and now.login_notifications:
            owe_mail(
                kind=AccountMail.Kind.NEW_LOGIN,
                user=now,
                user_agent=client.user_agent,
                network=client.network,
                at=session.last_used_at.isoformat(),
            )
        session.authenticated_at = session.last_used_at
        session.save(force_insert=True)
        return make(session)
