import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from innotter.accounts.actions import account_action
from innotter.accounts.challenges import void_challenges
from innotter.accounts.limits import IP_KNOWN_FOR, limit_refreshes
from innotter.accounts.models import KnownIP, RefreshToken, Session, User
from innotter.accounts.passwords import WrongCredentials, WrongPassword, is_password
from innotter.accounts.selectors import (
    digest,
    refresh_life,
    refresh_token,
    usable_sessions,
    user_named,
)
from innotter.accounts.tokens import mint_access_token
from innotter.common.clients import Client
from innotter.common.compiled import fetched
from innotter.common.errors import NotFound, Unauthenticated
from innotter.common.maintenance import maintenance
from innotter.common.pruning import prune
from innotter_contracts.tokens import LEEWAY

log = structlog.get_logger(__name__)

# So often is it written that a cookie was used, and its cookie sent anew.
USE_WRITTEN_EVERY = timedelta(hours=1)
# So long is a password believed for what needs a recent one.
PASSWORD_FRESH_FOR = timedelta(hours=8)
# A refresh token that comes back so soon after it was spent comes from another tab.
TABS_TOGETHER = timedelta(seconds=10)
# By the operator, so many in one transaction.
ENDED_AT_ONCE = 5_000
RAISE = "UPDATE accounts_session SET writes = writes + 1 WHERE id = %s RETURNING writes"


class WrongRefreshToken(Unauthenticated):
    code = "invalid_refresh_token"
    detail = "Invalid refresh token. Log in again."


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def confirm_password(*, session: Session, password: str, client: Client) -> str:
    """From now on the password is fresh in a browser's session: the new token for its cookie.

    Raises Throttled, WrongPassword, and WrongCredentials as renew_cookie() does.
    """
    if not is_password(password, user=session.user, login="", client=client):
        raise WrongPassword("password")
    return renew_cookie(session=session, authenticated_at=timezone.now())


@transaction.atomic
def renew_cookie(*, session: Session, authenticated_at: datetime | None = None) -> str:
    """Another token for the cookie of a browser's session; the one before is good no longer.

    Raises WrongCredentials where the session is over, or its cookie was renewed meanwhile.
    """
    now = (
        Session.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(pk=session.pk, ended_at=None, cookie_digest=session.cookie_digest)
        .first()
    )
    if now is None:
        raise WrongCredentials
    now.authenticated_at = authenticated_at or now.authenticated_at
    return cookie_token(now)


def is_password_fresh(session: Session) -> bool:
    since = timezone.now() - PASSWORD_FRESH_FOR
    return session.authenticated_at is not None and session.authenticated_at > since


def is_use_due(session: Session) -> bool:
    """Whether note_use() would write: at most hourly, and never during maintenance."""
    since = timezone.now() - USE_WRITTEN_EVERY
    return session.last_used_at <= since and not maintenance()


def note_use(*, session: Session, client: Client) -> bool:
    """Of a browser's session, and from where. Whether it was written."""
    if not is_use_due(session):
        return False
    now, alive = timezone.now(), Session.objects.filter(pk=session.pk, ended_at=None)
    return bool(alive.update(last_used_at=now, network=client.network, updated_at=now))


def count_write(session_id: UUID) -> None:
    """The last statement of a transaction that writes in a session: where it waits for the row,
    nobody waits for a row that it would still need."""
    fetched(RAISE, [session_id])


def refresh(*, token: str, client: Client) -> TokenPair:
    """Spends a refresh token for a new pair.

    Tabs of one browser that refresh together each get a pair. A spent token that comes back later
    than TABS_TOGETHER, or after one of its successors has been used, ends its whole session:
    either its owner or a thief has a copy. Raises Throttled, WrongRefreshToken.
    """
    asked_at = timezone.now()
    found = refresh_token(token)
    limit_refreshes(found.session.user_id if found else None, client)
    pair = _next_pair(found, asked_at, client) if found and found.expires_at > asked_at else None
    if pair is None:
        raise WrongRefreshToken
    return pair


def log_out(*, token: str) -> None:
    """Ends the session that the refresh token belongs to, if any."""
    _end_sessions(Session.objects.filter(refreshtoken__digest=digest(token)))


@account_action
@transaction.atomic
def end_session(*, actor: User, session_id: UUID) -> None:
    """Ends one of one's own sessions. Raises NotFound."""
    _lock_sessions(actor)
    if not _end_sessions(usable_sessions(actor).filter(pk=session_id)):
        raise NotFound


@account_action
@transaction.atomic
def end_other_sessions(*, actor: User, session_id: UUID | None) -> None:
    """Ends all of one's own sessions but this one, if any."""
    _lock_sessions(actor)
    _end_sessions(Session.objects.filter(user=actor, ended_at=None).exclude(pk__in=[session_id]))


def end_all_sessions(*, user: User, but: UUID | None) -> None:
    """For a new password or another second factor: ends every session of the user but this one, if
    any, and every login that waits for its second step."""
    void_challenges(user)
    _end_sessions(Session.objects.filter(user=user).exclude(pk__in=[but]))


def end_sessions_of(username: str | None) -> int:
    """For the operator: ends every session of a user, or with None of everybody, in steps; how
    many. Raises NotFound."""
    whose = {} if username is None else {"user": user_named(username)}
    ended = 0
    while ids := Session.objects.filter(ended_at=None, **whose).values("pk")[:ENDED_AT_ONCE]:
        ended += _end_sessions(Session.objects.filter(pk__in=[each["pk"] for each in ids]))
    log.warning("sessions_ended", of=str(whose["user"].pk) if whose else "everybody", count=ended)
    return ended


def log_out_of_site(*, session: Session) -> None:
    """Ends the session of a browser. No limit keeps anybody from it."""
    _end_sessions(Session.objects.filter(pk=session.pk))


@transaction.atomic
def forget_sessions(*, user: User) -> None:
    """For a block: nothing is left that could be used. Sessions that were ended stay so, and those
    of browsers are ended: a browser with such a cookie is shown the block."""
    locked = Session.objects.select_for_update(no_key=True).filter(user=user, ended_at=None)
    alive = Session.objects.filter(pk__in=[session.pk for session in locked])
    alive.filter(cookie_digest=None).delete()
    _end_sessions(alive)


def prune_sessions() -> int:
    """Deletes what no token can come back to any more, and IPs that are known no longer; how many
    rows of each kind together."""
    now = timezone.now()
    idle = now - refresh_life()
    ended = now - timedelta(seconds=settings.ACCESS_TOKEN_SECONDS + LEEWAY)
    return sum(
        (
            prune(RefreshToken.objects.filter(expires_at__lt=now), by="expires_at"),
            prune(Session.objects.filter(ended_at__lt=ended), by="ended_at"),
            prune(Session.objects.filter(last_used_at__lt=idle), by="last_used_at"),
            prune(KnownIP.objects.filter(updated_at__lt=now - IP_KNOWN_FOR), by="updated_at"),
        )
    )


@transaction.atomic
def _next_pair(found: RefreshToken, asked_at: datetime, client: Client) -> TokenPair | None:
    """None where the session is over, or is ended now."""
    session = (
        Session.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(pk=found.session_id, ended_at=None, user__is_blocked=False)
        .exclude(user__deletes_at__lte=asked_at)
        .first()
    )
    # As it is now, under the lock of its session.
    token = RefreshToken.objects.filter(pk=found.pk).first()
    if session is None or token is None:
        return None
    if token.spent_at is not None and _is_replayed(token, token.spent_at, asked_at):
        _end_sessions(Session.objects.filter(pk=session.pk))
        return None
    session.last_used_at = timezone.now()
    session.network = client.network
    session.save(update_fields=["last_used_at", "network", "updated_at"])
    if token.spent_at is None:
        RefreshToken.objects.filter(pk=token.pk).update(spent_at=session.last_used_at)
    return token_pair(session, predecessor=token)


def _is_replayed(token: RefreshToken, spent_at: datetime, asked_at: datetime) -> bool:
    """Of a token that is spent: whether another than a tab beside the first has brought it. When
    it was asked counts, not when the lock was had."""
    successors = RefreshToken.objects.filter(session=token.session_id, predecessor_id=token.pk)
    used = successors.filter(spent_at__isnull=False)
    return asked_at > spent_at + TABS_TOGETHER or used.exists()


def _lock_sessions(user: User) -> None:
    """All of them, in one order: of two that end each other at once, the second waits before it
    has what the first will want, the row of the caller's own (count_write)."""
    alive = Session.objects.filter(user=user, ended_at=None)
    list(alive.select_for_update(no_key=True).order_by("pk").values_list("pk"))


@transaction.atomic
def _end_sessions(sessions: QuerySet[Session]) -> int:
    """Ends the sessions: their tokens are refused from now on. Returns how many were alive."""
    # Locked, so that a refresh under way is over, and what it made is seen here.
    ids = [each.pk for each in sessions.select_for_update(of=("self",), no_key=True)]
    alive = Session.objects.filter(pk__in=ids, ended_at=None).update(ended_at=timezone.now())
    RefreshToken.objects.filter(session__in=ids).delete()
    return alive


def cookie_token(session: Session) -> str:
    """For a session of a browser, whose row is locked or new."""
    token = secrets.token_urlsafe(32)
    session.cookie_digest = digest(token)
    session.cookie_role = session.user.role
    session.save(update_fields=["cookie_digest", "cookie_role", "authenticated_at", "updated_at"])
    return token


def token_pair(session: Session, predecessor: RefreshToken | None = None) -> TokenPair:
    """For a session of a program, whose row is locked or new."""
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        session=session,
        digest=digest(token),
        expires_at=timezone.now() + refresh_life(),
        predecessor_id=predecessor.pk if predecessor else None,
    )
    return TokenPair(
        access=mint_access_token(session.user, session=session),
        refresh=token,
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )
