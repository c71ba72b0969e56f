import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from innotter.accounts.actions import action
from innotter.accounts.limits import (
    IP_KNOWN_FOR,
    limit_password_attempts,
    limit_refreshes,
    limit_registrations,
    remember_ip,
)
from innotter.accounts.models import (
    LONGEST_TITLE,
    RefreshToken,
    Session,
    User,
    password_forms,
)
from innotter.accounts.policies import UserBlocked
from innotter.accounts.selectors import (
    digest,
    folded_login,
    refresh_life,
    refresh_token,
    usable_sessions,
    user_by_login,
)
from innotter.accounts.tokens import mint_access_token
from innotter.common.clients import Client
from innotter.common.database import assign, checked, conflicts, delete_in_steps, known_fields
from innotter.common.emails import canonical_email
from innotter.common.errors import Conflict, Invalid, NotFound, Unauthenticated
from innotter.common.reserved import ReservedName, is_reserved
from innotter.common.text import visible_line
from innotter.common.throttling import refund
from innotter.events.services import record
from innotter.media.services import store_picture
from innotter_contracts.events import NotificationsChanged, UserRef
from innotter_contracts.tokens import LEEWAY

if TYPE_CHECKING:
    from django.core.files.base import File

# So often is it written that a cookie was used, and its cookie sent anew.
USE_WRITTEN_EVERY = timedelta(hours=1)
# So long is a password believed for what needs a recent one.
PASSWORD_FRESH_FOR = timedelta(hours=8)
# A refresh token that comes back so soon after it was spent comes from another tab.
TABS_TOGETHER = timedelta(seconds=10)

# So many in one transaction, and so many transactions of each kind in one run.
PRUNED_AT_ONCE = 5_000
PRUNINGS = 20
PRUNE_TOKENS = """
    DELETE FROM accounts_refreshtoken WHERE id = ANY(ARRAY(
        SELECT id FROM accounts_refreshtoken
        WHERE expires_at < %s
        ORDER BY expires_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""
PRUNE_SESSIONS = """
    WITH over AS MATERIALIZED (
        SELECT id FROM accounts_session
        WHERE {since} < %s
        ORDER BY {since} LIMIT %s
        FOR UPDATE SKIP LOCKED
    ), tokens AS (
        DELETE FROM accounts_refreshtoken WHERE session_id = ANY(ARRAY(SELECT id FROM over))
    )
    DELETE FROM accounts_session WHERE id = ANY(ARRAY(SELECT id FROM over))
"""
PRUNE_IPS = """
    DELETE FROM accounts_knownip WHERE id = ANY(ARRAY(
        SELECT id FROM accounts_knownip
        WHERE updated_at < %s
        ORDER BY updated_at LIMIT %s
        FOR UPDATE SKIP LOCKED
    ))
"""


class UsernameTaken(Conflict):
    code = "username_taken"
    detail = "This username is taken."


class EmailTaken(Conflict):
    code = "email_taken"
    detail = "This e-mail address is taken."


class WrongCredentials(Unauthenticated):
    code = "wrong_credentials"
    detail = "Invalid username, e-mail address or password."


class WrongRefreshToken(Unauthenticated):
    code = "invalid_refresh_token"
    detail = "Invalid refresh token. Log in again."


class InvalidEmail(Invalid):
    code = "invalid"
    detail = "Enter a valid e-mail address."


class WeakPassword(Invalid):
    code = "weak_password"


class WrongPassword(Invalid):
    code = "wrong_password"
    detail = "Wrong password."


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def register(
    *,
    client: Client | None,
    username: str,
    email: str,
    password: str,
    title: str = "",
    language: str = "",
) -> User:
    """A new account with the role `user`, titled by its username and in English by default.
    Without a client nothing is counted: what the operator makes.

    Raises Throttled, Invalid, ReservedName, InvalidEmail, WeakPassword, UsernameTaken, EmailTaken.
    """
    if client is not None:
        limit_registrations(username, client)
    checked(User, "username", username)
    if is_reserved(username):
        raise ReservedName("username")
    title = visible_line("title", title or username, LONGEST_TITLE)
    user = User(username=username, email=_canonical(email), title=title)
    _require_strong(password, user)
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        return User.objects.create_user(
            username, email, password, title=title, language=language or User.Language.ENGLISH
        )


class UserChanges(TypedDict, total=False):
    """What edit_user() changes."""

    title: str
    email: str
    email_notifications: str
    language: str
    password: str


@action
def edit_user(
    *,
    actor: User,
    client: Client,
    current_password: str = "",
    session_id: UUID | None = None,
    **changes: Unpack[UserChanges],
) -> User:
    """Changes what is given of one's own account. A new e-mail address or password needs the
    current password; a new password ends every session but that of `session_id`.

    Raises Invalid, InvalidEmail, WeakPassword, Throttled, WrongPassword, EmailTaken.
    """
    known_fields(changes, UserChanges)
    password = changes.pop("password", None)
    _normalize(changes)
    if password is not None:
        _require_strong(password, actor)
    proven = "email" in changes or password is not None
    if proven and not _is_password(current_password, user=actor, login="", client=client):
        raise WrongPassword("current_password")
    with conflicts({"user_email_unique": EmailTaken}):
        now = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        # While the password was being checked another one may have taken its place.
        if proven and now.password != actor.password:
            raise WrongPassword("current_password")
        changed = assign(now, changes)
        if password is not None:
            now.set_password(password)
            changed |= {"password", "updated_at"}
        now.save(update_fields=changed)
        if password is not None:
            _end_sessions(Session.objects.filter(user=now).exclude(pk__in=[session_id]))
        if "email_notifications" in changed:
            record(NotificationsChanged(actor=now.id, payload=UserRef(user_id=now.id)))
    return now


def _normalize(changes: UserChanges) -> None:
    """Raises Invalid, InvalidEmail."""
    if "title" in changes:
        changes["title"] = visible_line("title", changes["title"], LONGEST_TITLE)
    if "email" in changes:
        changes["email"] = _canonical(changes["email"])


@action
def set_image(*, actor: User, image: "File[Any] | None") -> User:
    """Stores the picture and takes it as one's own; with None, has none any more.

    Raises what store_picture() raises.
    """
    actor.image_id = None if image is None else store_picture(image=image)
    actor.save(update_fields=["image", "updated_at"])
    return actor


def authenticate(*, login: str, password: str, client: Client) -> User:
    """The user of a username or an e-mail address, in any case and form, by their password.

    Counted for every front end. Not for use in a transaction: others have to see the count.
    Raises Throttled, WrongCredentials, UserBlocked.
    """
    user = user_by_login(login)
    right = _is_password(password, user=user, login=folded_login(login), client=client)
    if user is None or not right:
        raise WrongCredentials
    if user.is_blocked:
        raise UserBlocked
    remember_ip(user, client)
    return user


def log_in(*, login: str, password: str, client: Client) -> TokenPair:
    """A new session of a program. Raises Throttled, WrongCredentials, UserBlocked."""
    return _begin_session(login, password, client, _token_pair)


def log_in_to_site(*, login: str, password: str, client: Client) -> str:
    """A new session of a browser: the token for its cookie. Raises as log_in() does."""
    return _begin_session(login, password, client, _cookie_token)


def confirm_password(*, session: Session, password: str, client: Client) -> str:
    """From now on the password is fresh in a browser's session: the new token for its cookie.

    Raises Throttled, WrongPassword, and WrongCredentials as renew_cookie() does.
    """
    if not _is_password(password, user=session.user, login="", client=client):
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
    return _cookie_token(now)


def is_password_fresh(session: Session) -> bool:
    since = timezone.now() - PASSWORD_FRESH_FOR
    return session.authenticated_at is not None and session.authenticated_at > since


def note_use(*, session: Session) -> bool:
    """Of a browser's session. Whether it was written, which it is at most hourly."""
    now = timezone.now()
    if session.last_used_at > now - USE_WRITTEN_EVERY:
        return False
    alive = Session.objects.filter(pk=session.pk, ended_at=None)
    return bool(alive.update(last_used_at=now, updated_at=now))


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
        _renew_hash(now, password)
        session = Session(user=now, user_agent=client.user_agent, last_used_at=timezone.now())
        session.authenticated_at = session.last_used_at
        session.save(force_insert=True)
        return make(session)


def refresh(*, token: str, client: Client) -> TokenPair:
    """Spends a refresh token for a new pair.

    Tabs of one browser that refresh together each get a pair. A spent token that comes back later
    than TABS_TOGETHER, or after one of its successors has been used, ends its whole session:
    either its owner or a thief has a copy. Raises Throttled, WrongRefreshToken.
    """
    asked_at = timezone.now()
    found = refresh_token(token)
    limit_refreshes(found.session.user_id if found else None, client)
    pair = _next_pair(found, asked_at) if found and found.expires_at > asked_at else None
    if pair is None:
        raise WrongRefreshToken
    return pair


def log_out(*, token: str) -> None:
    """Ends the session that the refresh token belongs to, if any."""
    _end_sessions(Session.objects.filter(refreshtoken__digest=digest(token)))


@action
def end_session(*, actor: User, session_id: UUID) -> None:
    """Ends one of one's own sessions. Raises NotFound."""
    if not _end_sessions(usable_sessions(actor).filter(pk=session_id)):
        raise NotFound


@action
def end_other_sessions(*, actor: User, session_id: UUID) -> None:
    """Ends all of one's own sessions but this one."""
    _end_sessions(Session.objects.filter(user=actor, ended_at=None).exclude(pk=session_id))


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
    statements: list[tuple[str, list[Any]]] = [
        (PRUNE_TOKENS, [now]),
        (PRUNE_SESSIONS.format(since="ended_at"), [ended]),
        (PRUNE_SESSIONS.format(since="last_used_at"), [idle]),
        (PRUNE_IPS, [now - IP_KNOWN_FOR]),
    ]
    return sum(
        delete_in_steps(statement, values, at_once=PRUNED_AT_ONCE, steps=PRUNINGS)
        for statement, values in statements
    )


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:
        raise InvalidEmail("email") from None


def _require_strong(password: str, user: User) -> None:
    """Raises WeakPassword."""
    try:
        validate_password(password_forms(password)[0], user)
    except ValidationError as error:
        raise WeakPassword("password", " ".join(error.messages)) from None


def _is_password(password: str, *, user: User | None, login: str, client: Client) -> bool:
    """The one place where a password is checked, and each attempt counted. Raises Throttled."""
    uses = limit_password_attempts(user, login, client)
    if user is None:
        # An unknown name costs the same time as a wrong password.
        for form in password_forms(password):
            make_password(form)
        return False
    right = user.check_password(password)
    if right:
        refund(*uses)
    return right


def _renew_hash(user: User, password: str) -> None:
    """Where the hash is older than the hasher's parameters. The user is locked."""
    if identify_hasher(user.password).must_update(user.password):
        user.set_password(password)
        user.save(update_fields=["password"])


@transaction.atomic
def _next_pair(found: RefreshToken, asked_at: datetime) -> TokenPair | None:
    """None where the session is over, or is ended now."""
    session = (
        Session.objects.select_for_update(of=("self",), no_key=True)
        .select_related("user")
        .filter(pk=found.session_id, ended_at=None, user__is_blocked=False)
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
    session.save(update_fields=["last_used_at", "updated_at"])
    if token.spent_at is None:
        RefreshToken.objects.filter(pk=token.pk).update(spent_at=session.last_used_at)
    return _token_pair(session, predecessor=token)


def _is_replayed(token: RefreshToken, spent_at: datetime, asked_at: datetime) -> bool:
    """Of a token that is spent: whether another than a tab beside the first has brought it. When
    it was asked counts, not when the lock was had."""
    successors = RefreshToken.objects.filter(session=token.session_id, predecessor_id=token.pk)
    used = successors.filter(spent_at__isnull=False)
    return asked_at > spent_at + TABS_TOGETHER or used.exists()


@transaction.atomic
def _end_sessions(sessions: QuerySet[Session]) -> int:
    """Ends the sessions: their tokens are refused from now on. Returns how many were alive."""
    # Locked, so that a refresh under way is over, and what it made is seen here.
    ids = [each.pk for each in sessions.select_for_update(of=("self",), no_key=True)]
    alive = Session.objects.filter(pk__in=ids, ended_at=None).update(ended_at=timezone.now())
    RefreshToken.objects.filter(session__in=ids).delete()
    return alive


def _cookie_token(session: Session) -> str:
    token = secrets.token_urlsafe(32)
    session.cookie_digest = digest(token)
    session.cookie_role = session.user.role
    session.save(update_fields=["cookie_digest", "cookie_role", "authenticated_at", "updated_at"])
    return token


def _token_pair(session: Session, predecessor: RefreshToken | None = None) -> TokenPair:
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
