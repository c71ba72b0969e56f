from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from innotter.accounts.actions import action
from innotter.accounts.limits import limit_registrations
from innotter.accounts.models import LONGEST_TITLE, User
from innotter.accounts.names import UsernameTaken, claim_username, give_up_username
from innotter.accounts.passwords import WrongPassword, is_password, require_strong
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.database import assign, checked, conflicts, known_fields
from innotter.common.emails import canonical_email
from innotter.common.errors import Conflict, Invalid
from innotter.common.text import visible_line
from innotter.events.services import record
from innotter.media.services import store_picture
from innotter_contracts.events import NotificationsChanged, UserRef

if TYPE_CHECKING:
    from django.core.files.base import File


class EmailTaken(Conflict):
    code = "email_taken"
    detail = "This e-mail address is taken."


class InvalidEmail(Invalid):
    code = "invalid"
    detail = "Enter a valid e-mail address."


def register(
    *,
    client: Client | None,
    username: str,
    email: str,
    password: str,
    title: str = "",
    language: str = "",
    time_zone: str = "UTC",
) -> User:
    """A new account with the role `user`, titled by its username, in English and UTC by default.
    Without a client nothing is counted: what the operator makes.

    Raises Throttled, Invalid, ReservedName, InvalidEmail, WeakPassword, UsernameTaken, EmailTaken.
    """
    if client is not None:
        limit_registrations(username, client)
    checked(User, "username", username)
    checked(User, "time_zone", time_zone)
    title = visible_line("title", title or username, LONGEST_TITLE)
    user = User(username=username, email=_canonical(email), title=title)
    require_strong(password, user)
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        claim_username(username, user=None)
        return User.objects.create_user(
            username,
            email,
            password,
            title=title,
            language=language or User.Language.ENGLISH,
            time_zone=time_zone,
        )


class UserChanges(TypedDict, total=False):
    """What edit_user() changes."""

    username: str
    title: str
    email: str
    email_notifications: str
    language: str
    time_zone: str
    digest_hour: int
    login_notifications: bool
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
    current password; a new password ends every session but that of `session_id`. A former
    username stays reserved for its owner.

    Raises Invalid, InvalidEmail, WeakPassword, Throttled, WrongPassword, EmailTaken, ReservedName,
    UsernameTaken, TooManyNames.
    """
    known_fields(changes, UserChanges)
    password = changes.pop("password", None)
    _normalize(changes)
    if password is not None:
        require_strong(password, actor)
    proven = "email" in changes or password is not None
    if proven and not is_password(current_password, user=actor, login="", client=client):
        raise WrongPassword("current_password")
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        now = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        # While the password was being checked another one may have taken its place.
        if proven and now.password != actor.password:
            raise WrongPassword("current_password")
        if "username" in changes:
            _rename(now, changes["username"])
        changed = assign(now, changes)
        if password is not None:
            now.set_password(password)
            changed |= {"password", "updated_at"}
        now.save(update_fields=changed)
        if password is not None:
            end_all_sessions(user=now, but=session_id)
        if changed & {"email_notifications", "time_zone", "digest_hour"}:
            record(NotificationsChanged(actor=now.id, payload=UserRef(user_id=now.id)))
    return now


def _rename(user: User, username: str) -> None:
    """Of a user whose row is locked. Raises ReservedName, UsernameTaken, TooManyNames."""
    if username.lower() != user.username.lower():
        claim_username(username, user=user)
        give_up_username(user, for_name=username)


def _normalize(changes: UserChanges) -> None:
    """Raises Invalid, InvalidEmail."""
    if "username" in changes:
        changes["username"] = checked(User, "username", changes["username"])
    for field in changes.keys() & {"time_zone", "digest_hour"}:
        checked(User, field, changes[field])  # type: ignore[literal-required]
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


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:
        raise InvalidEmail("email") from None
