import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from innotter.accounts.models import RefreshToken, User
from innotter.accounts.tokens import mint_access_token
from innotter.common.database import assign, conflicts
from innotter.common.errors import Conflict, Forbidden, Invalid, Unauthenticated
from innotter_contracts.ids import new_id


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


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"


def register(*, username: str, email: str, password: str, title: str = "") -> User:
    """A new account with the role `user`. Raises WeakPassword, UsernameTaken, EmailTaken."""
    user = User(username=username, email=email, title=title or username)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword("password", " ".join(error.messages)) from None
    user.set_password(password)
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
) -> User:
    """Changes what is given. Raises EmailTaken."""
    wishes = {
        "title": title,
        "email": email,
        "email_notifications": email_notifications,
        "language": language,
    }
    changed = assign(user, wishes)
    with conflicts({"user_email_unique": EmailTaken}):
        user.save(update_fields=changed)
    return user


def set_image(*, user: User, image: str | None) -> User:
    """Takes the picture of that name as the user's, or none."""
    user.image_id = image
    user.save(update_fields=["image", "updated_at"])
    return user


def log_in(*, login: str, password: str) -> TokenPair:
    """A new session. `login` is a username or an e-mail address, in any case of letters."""
    user = User.objects.filter(
        Q(username__lower=login.lower()) | Q(email__lower=login.lower())
    ).first()
    if user is None:
        # An unknown name costs the same time as a wrong password.
        make_password(password)
        raise WrongCredentials
    if not user.check_password(password):
        raise WrongCredentials
    if user.is_blocked:
        raise UserBlocked
    return _token_pair(user, family=new_id())


def refresh(*, token: str) -> TokenPair:
    """Spends a refresh token for a new pair. One that was spent before ends its whole family:
    either its owner or a thief has a copy."""
    with transaction.atomic():
        found = (
            RefreshToken.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(digest=_digest(token), expires_at__gt=timezone.now())
            .first()
        )
        if found is not None and found.spent_at is None and not found.user.is_blocked:
            found.spent_at = timezone.now()
            found.save(update_fields=["spent_at", "updated_at"])
            return _token_pair(found.user, family=found.family)
        if found is not None:
            RefreshToken.objects.filter(family=found.family).delete()
    raise WrongRefreshToken


def log_out(*, token: str) -> None:
    """Ends the session that the refresh token belongs to, if any."""
    found = RefreshToken.objects.filter(digest=_digest(token)).first()
    if found is not None:
        RefreshToken.objects.filter(family=found.family).delete()


def end_sessions(*, user: User) -> None:
    RefreshToken.objects.filter(user=user).delete()


def _token_pair(user: User, *, family: UUID) -> TokenPair:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        user=user,
        family=family,
        digest=_digest(token),
        expires_at=timezone.now() + timedelta(days=settings.REFRESH_TOKEN_DAYS),
    )
    return TokenPair(
        access=mint_access_token(user),
        refresh=token,
        expires_in=settings.ACCESS_TOKEN_SECONDS,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
