import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.dispatch import Signal
from django.utils import timezone

from innotter.accounts.models import FormerUsername, Passkey, RefreshToken, Session, Totp, User
from innotter.common.compiled import (
    ID,
    Fixed,
    NewParameter,
    Shape,
    compiled,
    now,
    taken_apart,
)
from innotter.common.emails import folded_email
from innotter.common.errors import NotFound
from innotter.common.pagination import NEWEST_FIRST, Range, Slice, Window

# Asked with an `address`; the app mail answers whether it gets no mail.
suppression = Signal()

type Viewer = User | AnonymousUser

# What a user's profile has nothing of, so that a read for others needs none of it.
PRIVATE = (
    "password",
    "last_login",
    "revision",
    "email",
    "pending_email",
    "pending_since",
    "links_void_before",
    "email_notifications",
    "language",
    "time_zone",
    "digest_hour",
    "login_notifications",
    "has_second_factor",
)


@dataclass(frozen=True)
class UserShape:
    """Somebody who looks. What they may see depends on their role."""

    role: str

    def stand_in(self, new: NewParameter) -> User:
        # A field that is not named here can't be read.
        return User.from_db(None, ["id", "role"], [new(ID.field), self.role])


@taken_apart.register
def _viewer(viewer: User) -> tuple[Shape, tuple[UUID]]:
    return UserShape(viewer.role), (viewer.pk,)


@taken_apart.register
def _nobody(viewer: AnonymousUser) -> tuple[Shape, tuple[()]]:
    return NOBODY, ()


NOBODY = Fixed(AnonymousUser())


def shown_to(viewer: Viewer) -> Q:
    """The users that the viewer may find: moderators alone find who is blocked or leaving."""
    if isinstance(viewer, User) and viewer.is_moderator:
        return Q()
    return ~hidden()


def hidden(user: str = "") -> Q:
    """Who is blocked or leaving is shown to moderators alone, and so is all that is theirs.

    `user` is the way from the queryset's model to the user, such as `page__owner__`.
    """
    return Q(**{f"{user}is_blocked": True}) | Q(**{f"{user}deletes_at__isnull": False})


def with_profile_of[M: Model](rows: QuerySet[M], user: str) -> QuerySet[M]:
    """The rows with the users that `user` leads to, without what is private of them."""
    return rows.select_related(user).defer(*(f"{user}__{column}" for column in PRIVATE))


def user_at(username: str, viewer: Viewer) -> User:
    """The profile under a username, in any case. Raises NotFound."""
    for user in _users_at(username.lower(), viewer):
        return user
    raise NotFound


@compiled
def _users_at(username: str, viewer: Viewer) -> QuerySet[User]:
    return User.objects.filter(shown_to(viewer), username__lower=username).defer(*PRIVATE)


def user_formerly_at(username: str, viewer: Viewer) -> User:
    """Whose username this was, while it is reserved for them. Raises NotFound."""
    for user in _users_formerly_at(username.lower(), viewer):
        return user
    raise NotFound


@compiled
def _users_formerly_at(username: str, viewer: Viewer) -> QuerySet[User]:
    former = FormerUsername.objects.filter(username=username, reserved_until__gt=now())
    shown = User.objects.filter(shown_to(viewer), pk__in=former.values("user"))
    return shown.defer(*PRIVATE)


def user_named(username: str) -> User:
    """For admins. Raises NotFound."""
    user = User.objects.filter(username__lower=username.lower()).first()
    if user is None:
        raise NotFound
    return user


def is_mail_suppressed(user: User) -> bool:
    """Whether the user's mailbox gets no mail: it bounced, or its reader complained."""
    return bool(user.email) and any(
        answer for _, answer in suppression.send(User, address=user.email)
    )


def user_by_login(login: str) -> User | None:
    """Whom a username or an e-mail address names, in any case and form: who has confirmed the
    mailbox, or else who has claimed it first.

    A row whose e-mail address could not be made canonical is found by the address as it is.
    """
    if "@" not in login:
        return User.objects.filter(username__lower=login.lower()).first()
    typed, folded = login.lower(), folded_email(login)
    found = User.objects.filter(Q(email__lower__in={typed, folded}) | Q(pending_email=folded))
    rank = Case(When(email__lower=typed, then=0), When(email__lower=folded, then=1), default=2)
    return found.order_by(rank, "pending_since", "id").first()


def mailbox_holder(mailbox: str) -> User | None:
    """Who has confirmed it."""
    return User.objects.filter(email__lower=mailbox).first()


def folded_login(login: str) -> str:
    """One form of what names the same account, whether there is such an account or not."""
    return folded_email(unicodedata.normalize("NFC", login))


def caller(user_id: UUID, session_id: UUID | None) -> User | None:
    """Whom an access token speaks for: one query. None when the user is gone or has ended the
    session that the token comes from. With replicas, the user has the session's `writes`."""
    for user in _callers(user_id, session_id, bool(settings.DATABASE_REPLICAS)):
        return None if user.is_gone else user
    return None


@compiled
def _callers(user_id: UUID, session_id: UUID | None, with_writes: bool) -> QuerySet[User]:
    callers = User.objects.filter(pk=user_id)
    if session_id is None:
        return callers
    if with_writes:
        callers = callers.annotate(writes=Subquery(_writes(session_id)))
    return callers.exclude(Exists(Session.objects.filter(pk=session_id, ended_at__isnull=False)))


def writes_of(session_id: UUID) -> int | None:
    """How often a session has written, as the server knows that answers. None where it knows no
    such session."""
    return next((writes for (writes,) in _writes_of(session_id)), None)


@compiled
def _writes_of(session_id: UUID) -> QuerySet[Session, Any]:
    return _writes(session_id)


def _writes(session_id: UUID) -> QuerySet[Session, Any]:
    return Session.objects.filter(pk=session_id).values_list("writes")


def live_sessions(user: User, window: Window, *, current: UUID | None = None) -> Slice[Session]:
    """Those that can still be used, of programs and browsers, latest login first; of each whether
    it `is_current`."""
    asked = window.of(NEWEST_FIRST)
    return asked.slice(_live_sessions(user.pk, timezone.now() - refresh_life(), current, asked))


@compiled
def _live_sessions(
    user: UUID, used_since: datetime, current: UUID | None, asked: Range
) -> QuerySet[Session]:
    is_this = Q(pk=current) if current else Q(pk__in=[])
    is_current = ExpressionWrapper(is_this, output_field=BooleanField())
    live = _sessions_used_since(used_since, user).annotate(is_current=is_current)
    return asked.bound(live)[: asked.limit + 1]


def usable_sessions(user: User) -> QuerySet[Session]:
    """For services."""
    return _sessions_used_since(timezone.now() - refresh_life(), user.pk)


def _sessions_used_since(moment: datetime, user: UUID) -> QuerySet[Session]:
    return Session.objects.filter(user=user, ended_at=None, last_used_at__gt=moment)


def cookie_session(token: str) -> Session | None:
    """With its user. One that was ended, too, whose user is blocked: who is shut out is told so."""
    for session in _cookie_sessions(digest(token), timezone.now() - refresh_life()):
        return None if session.user.is_gone else session
    return None


@compiled
def _cookie_sessions(cookie_digest: str, used_since: datetime) -> QuerySet[Session]:
    return Session.objects.select_related("user").filter(
        Q(ended_at=None) | Q(user__is_blocked=True),
        cookie_digest=cookie_digest,
        last_used_at__gt=used_since,
    )


@dataclass(frozen=True)
class SecondFactor:
    """What a user has of it."""

    totp: bool = False
    passkeys: int = 0
    recovery_codes_left: int = 0


def second_factor_of(user: User) -> SecondFactor:
    """One query, none where there is nothing."""
    if not user.has_second_factor:
        return SecondFactor()
    found = (
        User.objects.filter(pk=user.pk)
        .annotate(
            totp_on=Exists(Totp.objects.filter(user=OuterRef("pk"), confirmed_at__isnull=False)),
            passkeys=Count("passkey", distinct=True),
            codes=Count("recoverycode", filter=Q(recoverycode__used_at=None), distinct=True),
        )
        .values_list("totp_on", "passkeys", "codes")
        .get()
    )
    return SecondFactor(*found)


def second_factor_methods(user: User) -> list[str]:
    """By which a login of the user can go on."""
    has = second_factor_of(user)
    ways = {"totp": has.totp, "passkey": has.passkeys, "recovery_code": has.recovery_codes_left}
    return [way for way, there in ways.items() if there]


def passkeys_of(user: User, window: Window) -> Slice[Passkey]:
    """Latest first."""
    return window.slice(Passkey.objects.filter(user=user))


def refresh_token(token: str) -> RefreshToken | None:
    """With its session; spent ones too, and expired ones."""
    return RefreshToken.objects.select_related("session").filter(digest=digest(token)).first()


def digest(token: str) -> str:
    """As which the database knows a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def refresh_life() -> timedelta:
    """How long a session lives on without being used."""
    return timedelta(days=settings.REFRESH_TOKEN_DAYS)
