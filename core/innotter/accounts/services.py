import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from innotter.accounts.models import LONGEST_TITLE, RefreshToken, Session, User
from innotter.accounts.selectors import digest, live_sessions, refresh_life
from innotter.accounts.tokens import mint_access_token
from innotter.common.database import assign, conflicts
from innotter.common.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from innotter.common.text import visible_line
from innotter.events.services import record
from innotter_contracts.events import NotificationsChanged, UserRef
from innotter_contracts.tokens import LEEWAY

# What one run of prune_sessions() deletes of each kind.
PRUNED_AT_ONCE = 10_000


class UsernameTaken(Conflict):
    code = "username_taken"
    detail = "Another account has this username."


class EmailTaken(Conflict):
    code = "email_taken"
    detail = "Another account has this e-mail address."


class WrongCredentials(Unauthenticated):
    code = "wrong_credentials"
    detail = "There is no account with this name and password."


class WrongRefreshToken(Unauthenticated):
    code = "invalid_refresh_token"
    detail = "The refresh token is unknown, spent or expired: log in again."


class UserBlocked(Forbidden):
    code = "user_blocked"
    detail = "This account is blocked."


class WeakPassword(Invalid):
    code = "weak_password"


class WrongPassword(Invalid):
    code = "wrong_password"
    detail = "This is not your password."


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def register(*, username: str, email: str, password: str, title: str = "") -> User:
    """A new account with the role `user`.

    Raises Invalid, WeakPassword, UsernameTaken, EmailTaken.
    """
    line = visible_line("title", title or username, LONGEST_TITLE)
    user = User(username=username, email=email, title=line)
    _set_password(user, password)
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        user.save(force_insert=True)
    return user


def edit_user(
    *,
    user: User,
    title: str | None = None,
    email: str | None = None,
    email_notifications: str | None = None,
    language: str | None = None,
    password: str | None = None,
    current_password: str = "",
    session_id: UUID | None = None,
) -> User:
    """Changes what is given. A new password needs the current one, and ends every session but
    that of `session_id`. Raises Invalid, EmailTaken, WrongPassword, WeakPassword."""
    wishes = {
        "title": None if title is None else visible_line("title", title, LONGEST_TITLE),
        "email": email,
        "email_notifications": email_notifications,
        "language": language,
    }
    changed = assign(user, wishes)
    if password is not None:
        if not user.check_password(current_password):
            raise WrongPassword("current_password")
        _set_password(user, password)
        changed |= {"password", "updated_at"}
    with conflicts({"user_email_unique": EmailTaken}):
        user.save(update_fields=changed)
        if password is not None:
            _end(Session.objects.filter(user=user).exclude(pk__in=[session_id]))
        if "email_notifications" in changed:
            record(NotificationsChanged(actor=user.id, payload=UserRef(user_id=user.id)))
    return user


def set_image(*, user: User, image: str | None) -> User:
    """Takes the picture of that name as the user's, or none."""
    user.image_id = image
    user.save(update_fields=["image", "updated_at"])
    return user


def log_in(*, login: str, password: str, user_agent: str = "") -> TokenPair:
    """A new session. `login` is a username or an e-mail address, in any case of letters.

    Raises WrongCredentials, UserBlocked.
    """
    user = User.objects.filter(
        Q(username__lower=login.lower()) | Q(email__lower=login.lower())
    ).first()
    if user is None:
        # An unknown name costs the same time as a wrong password.
        make_password(password)
        raise WrongCredentials
    if not user.check_password(password):
        raise WrongCredentials
    with transaction.atomic():
        now = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        # While the password was being checked another one may have ended all sessions.
        if now.password != user.password:
            raise WrongCredentials
        if now.is_blocked:
            raise UserBlocked
        session = Session(user=now, user_agent=user_agent, last_used_at=timezone.now())
        session.save(force_insert=True)
        return _token_pair(session)


def refresh(*, token: str) -> TokenPair:
    """Spends a refresh token for a new pair. One that was spent before ends its whole session:
    either its owner or a thief has a copy.

    Of those who ask at once each gets a pair: they came before anybody had been answered.
    Raises WrongRefreshToken.
    """
    found = RefreshToken.objects.filter(digest=digest(token), expires_at__gt=timezone.now()).first()
    if found is None:
        raise WrongRefreshToken
    if found.spent_at is not None:
        _end(Session.objects.filter(pk=found.session_id))
        raise WrongRefreshToken
    with transaction.atomic():
        session = (
            Session.objects.select_for_update(of=("self",), no_key=True)
            .select_related("user")
            .filter(pk=found.session_id, ended_at=None, user__is_blocked=False)
            .first()
        )
        if session is not None:
            session.last_used_at = timezone.now()
            session.save(update_fields=["last_used_at", "updated_at"])
            RefreshToken.objects.filter(pk=found.pk).update(spent_at=session.last_used_at)
            return _token_pair(session)
    raise WrongRefreshToken


def log_out(*, token: str) -> None:
    """Ends the session that the refresh token belongs to, if any."""
    _end(Session.objects.filter(refreshtoken__digest=digest(token)))


def end_session(*, user: User, session_id: UUID) -> None:
    """Ends one of the user's sessions. Raises NotFound."""
    if not _end(live_sessions(user).filter(pk=session_id)):
        raise NotFound


@transaction.atomic
def forget_sessions(*, user: User) -> None:
    """For a block: nothing is left that could be refreshed. Sessions that were ended stay so."""
    locked = Session.objects.select_for_update(no_key=True).filter(user=user, ended_at=None)
    Session.objects.filter(pk__in=[session.pk for session in locked]).delete()


def prune_sessions() -> int:
    """Deletes what no token can come back to any more; how many sessions and refresh tokens."""
    now = timezone.now()
    access_life = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS + LEEWAY)
    over = Q(ended_at__lt=now - access_life) | Q(last_used_at__lt=now - refresh_life())
    expired = RefreshToken.objects.filter(expires_at__lt=now)
    pruned = 0
    for rows in (expired, Session.objects.filter(over)):
        model: Any = rows.model
        number, _ = model.objects.filter(pk__in=rows.values("pk")[:PRUNED_AT_ONCE]).delete()
        pruned += number
    return pruned


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword("password", " ".join(error.messages)) from None
    user.set_password(password)


@transaction.atomic
def _end(sessions: QuerySet[Session]) -> int:
    """Tokens in hand are refused from now on. How many of the sessions were alive."""
    # Locked, so that a refresh under way is over, and what it made is seen here.
    ids = [each.pk for each in sessions.select_for_update(of=("self",), no_key=True)]
    alive = Session.objects.filter(pk__in=ids, ended_at=None).update(ended_at=timezone.now())
    RefreshToken.objects.filter(session__in=ids).delete()
    return alive


def _token_pair(session: Session) -> TokenPair:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        session=session, digest=digest(token), expires_at=timezone.now() + refresh_life()
    )
    return TokenPair(
        access=mint_access_token(session.user, session=session),
        refresh=token,
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )
