from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import account_action
from innotter.accounts.limits import limit_registrations, may_ask_for_confirmation
from innotter.accounts.mail_tokens import void_tokens
from innotter.accounts.mailboxes import (
    EmailTaken,
    canonical,
    claim_mailbox,
    drop_claim,
    lock_mailbox,
    needs_confirmation,
    require_free,
    set_mailbox,
)
from innotter.accounts.models import LONGEST_TITLE, AccountMail, User
from innotter.accounts.names import UsernameTaken, claim_username, give_up_username
from innotter.accounts.passwords import WrongPassword, is_password, require_strong
from innotter.accounts.sessions import end_all_sessions
from innotter.common.clients import Client
from innotter.common.database import assign, checked, conflicts, known_fields
from innotter.common.text import visible_line
from innotter.events.services import record
from innotter.media.services import store_picture
from innotter_contracts.events import NotificationsChanged, UserRef

if TYPE_CHECKING:
    from django.core.files.base import File


@dataclass(frozen=True)
class Newcomer:
    """What somebody has given who wants an account, checked. `ask`: a mail may ask the mailbox."""

    username: str
    mailbox: str
    password: str
    title: str
    language: str
    time_zone: str
    ask: bool


def register(
    *,
    username: str,
    email: str,
    password: str,
    title: str = "",
    language: str = "",
    time_zone: str = "UTC",
) -> User:
    """What the operator makes: a new account with the role `user`, titled by its username, in
    English and UTC by default, with a confirmed mailbox. People come by registrations.sign_up().

    Raises Invalid, InvalidEmail, WeakPassword, UsernameTaken, EmailTaken.
    """
    newcomer = checked_newcomer(
        client=None,
        username=username,
        email=email,
        password=password,
        title=title,
        language=language,
        time_zone=time_zone,
    )
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        claim_username(username, user=None, by_operator=True)
        return make_account(newcomer, is_confirmed=True)


def checked_newcomer(
    *,
    client: Client | None,
    username: str,
    email: str,
    password: str,
    title: str,
    language: str,
    time_zone: str,
) -> Newcomer:
    """Counted, unless there is no client. Not for use in a transaction: others have to see the
    count. Raises Throttled, Invalid, InvalidEmail, WeakPassword."""
    if client is not None:
        limit_registrations(username, client)
    checked(User, "username", username)
    checked(User, "time_zone", time_zone)
    title = visible_line("title", title or username, LONGEST_TITLE)
    mailbox = canonical(email)
    require_strong(password, User(username=username, email=mailbox, title=title))
    return Newcomer(
        username=username,
        mailbox=mailbox,
        password=password,
        title=title,
        language=language or User.Language.ENGLISH,
        time_zone=time_zone,
        ask=client is not None and needs_confirmation() and may_ask_for_confirmation(mailbox),
    )


def make_account(newcomer: Newcomer, *, is_confirmed: bool) -> User:
    """In a transaction that has claimed the username. Unless it is confirmed, the mailbox is a
    claim until it is by the link in a mail. Raises EmailTaken."""
    require_free(newcomer.mailbox)
    user = User.objects.create_user(
        newcomer.username,
        newcomer.mailbox if is_confirmed else None,
        newcomer.password,
        title=newcomer.title,
        language=newcomer.language,
        time_zone=newcomer.time_zone,
    )
    if not is_confirmed:
        claim_mailbox(user, newcomer.mailbox, ask=newcomer.ask)
    return user


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


@account_action
def edit_user(
    *,
    actor: User,
    client: Client,
    current_password: str = "",
    session_id: UUID | None = None,
    **changes: Unpack[UserChanges],
) -> User:
    """Changes what is given of one's own account. A new e-mail address or password needs the
    current password. The address is a claim until it is confirmed, and whether it is somebody
    else's is told there alone; one's own ends a claim. A new password ends every session but that
    of `session_id`. A former username stays reserved for its owner.

    Raises Invalid, InvalidEmail, WeakPassword, Throttled, WrongPassword, ReservedName,
    UsernameTaken, TooManyNames; EmailTaken where no confirmation is needed.
    """
    known_fields(changes, UserChanges)
    _normalize(changes)
    password, email = changes.pop("password", None), changes.pop("email", None)
    if password is not None:
        require_strong(password, actor)
    proven = email is not None or password is not None
    if proven and not is_password(current_password, user=actor, login="", client=client):
        raise WrongPassword("current_password")
    ask = email is not None and needs_confirmation() and may_ask_for_confirmation(email)
    with conflicts({"user_username_unique": UsernameTaken, "user_email_unique": EmailTaken}):
        if email is not None:
            lock_mailbox(email)
        now = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        # While the password was being checked another one may have taken its place.
        if proven and now.password != actor.password:
            raise WrongPassword("current_password")
        if password is not None:
            change_password(now, password, but=session_id)
        if email is not None:
            _change_mailbox(now, email, ask=ask)
        _change_rest(now, changes)
    return now


def change_password(user: User, password: str, *, but: UUID | None) -> None:
    """Of a user whose row is locked: every session but this one, if any, ends, and the mailbox is
    told. Whether the password is strong was asked before. For use in a transaction."""
    user.set_password(password)
    user.save(update_fields=["password", "updated_at"])
    void_tokens(user)
    end_all_sessions(user=user, but=but)
    owe_mail(kind=AccountMail.Kind.PASSWORD_CHANGED, user=user)


def _change_mailbox(user: User, mailbox: str, *, ask: bool) -> None:
    """Of a user whose row is locked. Raises EmailTaken where no confirmation is needed."""
    if mailbox == user.email:
        drop_claim(user)
    elif needs_confirmation():
        claim_mailbox(user, mailbox, ask=ask)
    else:
        set_mailbox(user, mailbox)


def _change_rest(user: User, changes: UserChanges) -> None:
    """Raises ReservedName, UsernameTaken, TooManyNames."""
    if "username" in changes:
        _rename(user, changes["username"])
    changed = assign(user, changes)
    user.save(update_fields=changed)
    if changed & {"email_notifications", "time_zone", "digest_hour"}:
        record(NotificationsChanged(actor=user.id, payload=UserRef(user_id=user.id)))


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
        changes["email"] = canonical(changes["email"])


@account_action
def set_image(*, actor: User, image: "File[Any] | None") -> User:
    """Stores the picture and takes it as one's own; with None, has none any more.

    Raises what store_picture() raises.
    """
    actor.image_id = None if image is None else store_picture(image=image)
    with transaction.atomic():
        actor.save(update_fields=["image", "updated_at"])
    return actor
