"""What moderators and admins do to others. Each action and its row in the log are one
transaction."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.actions import action, locked_by_admin
from innotter.accounts.actors import Actor, System
from innotter.accounts.mailboxes import NoMailbox, canonical, lock_mailbox, set_mailbox
from innotter.accounts.models import AccountMail, Registration, User
from innotter.accounts.passwords import require_strong
from innotter.accounts.policies import require_admin, require_not_oneself
from innotter.accounts.selectors import user_named
from innotter.accounts.services import change_password, register
from innotter.accounts.sessions import forget_sessions
from innotter.common.errors import Invalid
from innotter.events.services import record
from innotter.moderation.models import ModerationAction
from innotter.moderation.policies import (
    require_may_block,
    require_may_unblock,
    require_moderator,
)
from innotter.pages.locks import locked as locked_page
from innotter.pages.locks import locked_profile
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter_contracts.events import UserBlocked, UserState, UserUnblocked

Action = ModerationAction.Action


@action
@transaction.atomic
def block_page(*, actor: User, page: Page | str, until: datetime | None, reason: str = "") -> Page:
    """Blocks a page until a moment or, with None, for good, whatever block there was.

    Raises Forbidden, NotFound, BlockForGood, Invalid.
    """
    require_moderator(actor)
    page = locked_profile(page, actor)
    require_may_block(actor, page, until)
    if until is not None and until <= timezone.now():
        raise Invalid("until", "Must be in the future.")
    _set_block(page, for_good=until is None, until=until)
    log_action(Action.BLOCK, page, actor=actor, reason=reason, until=until)
    return page


@action
@transaction.atomic
def unblock_page(*, actor: User, page: Page | str, reason: str = "") -> None:
    """Lifts the page's own block, if one runs; that of its owner stays.

    Raises Forbidden, NotFound, BlockForGood.
    """
    require_moderator(actor)
    page = locked_page(page)
    if not page.own_block_runs:
        return
    require_may_unblock(actor, page)
    _set_block(page, for_good=False, until=None)
    log_action(Action.UNBLOCK, page, actor=actor, reason=reason)


@action
@transaction.atomic
def block_user(*, actor: User, user: User | str, reason: str = "") -> None:
    """Blocks a user and ends their sessions. Repeating it changes nothing.

    Raises Forbidden, NotFound, Oneself.
    """
    user = locked_by_admin(user, actor)
    require_not_oneself(actor, user)
    if user.is_blocked:
        return
    _set_blocked(user, True)
    record(UserBlocked(actor=actor.id, payload=_state(user)))
    log_action(Action.BLOCK, user, actor=actor, reason=reason)


@action
@transaction.atomic
def unblock_user(*, actor: User, user: User | str, reason: str = "") -> None:
    """Nothing when they are not blocked. Raises Forbidden, NotFound."""
    user = locked_by_admin(user, actor)
    if not user.is_blocked:
        return
    _set_blocked(user, False)
    record(UserUnblocked(actor=actor.id, payload=_state(user)))
    log_action(Action.UNBLOCK, user, actor=actor, reason=reason)


@action
@transaction.atomic
def set_role(*, actor: Actor, user: User | str, role: str, reason: str = "") -> User:
    """The user with that role. Raises Forbidden, NotFound, Oneself."""
    user = locked_by_admin(user, actor)
    require_not_oneself(actor, user)
    if user.role != role:
        user.role = role
        user.save(update_fields=["role", "updated_at"])
        log_action(Action(f"make_{role}"), user, actor=actor, reason=reason)
    return user


@action
@transaction.atomic
def confirm_email(*, actor: Actor, user: User | str, reason: str = "") -> None:
    """The mailbox that the user claims is theirs, by the word of an admin who knows it. Nothing
    where they claim none. Raises Forbidden, NotFound, Oneself, EmailTaken."""
    require_admin(actor)
    user = user_named(user) if isinstance(user, str) else user
    mailbox = user.pending_email
    lock_mailbox(mailbox)
    user = locked_by_admin(user, actor)
    require_not_oneself(actor, user)
    if mailbox and user.pending_email == mailbox:
        set_mailbox(user, mailbox)
        log_action(Action.CONFIRM_EMAIL, user, actor=actor, reason=reason)


@action
@transaction.atomic
def send_password_reset(*, actor: Actor, user: User | str, reason: str = "") -> None:
    """A mail with a link to a new password, to the user's confirmed mailbox.

    Raises Forbidden, NotFound, Oneself, NoMailbox.
    """
    user = locked_by_admin(user, actor)
    require_not_oneself(actor, user)
    if user.email is None:
        raise NoMailbox
    owe_mail(kind=AccountMail.Kind.PASSWORD_RESET, user=user)
    log_action(Action.RESET_PASSWORD, user, actor=actor, reason=reason)


@transaction.atomic
def give_mailbox(*, user: str, mailbox: str) -> None:
    """For the operator, who knows whose it is: the account's mailbox is confirmed. The one before
    is told, and can take it back for a week. Raises NotFound, InvalidEmail, EmailTaken."""
    mailbox = canonical(mailbox)
    lock_mailbox(mailbox)
    found = locked_by_admin(user, System.COMMAND)
    set_mailbox(found, mailbox)
    log_action(Action.CONFIRM_EMAIL, found, actor=System.COMMAND, reason="")


@transaction.atomic
def make_admin(*, username: str, email: str, password: str) -> User:
    """For the operator: a new account, an admin's, with a confirmed mailbox.

    Raises Invalid, InvalidEmail, WeakPassword, UsernameTaken, EmailTaken.
    """
    user = register(username=username, email=email, password=password)
    return set_role(actor=System.COMMAND, user=user, role=User.Role.ADMIN)


@transaction.atomic
def set_password(*, user: str, password: str) -> None:
    """For the operator: all sessions of the user end, and the mailbox is told. Raises NotFound,
    WeakPassword."""
    found = locked_by_admin(user, System.COMMAND)
    require_strong(password, found)
    change_password(found, password, but=None)
    log_action(Action.SET_PASSWORD, found, actor=System.COMMAND, reason="")


def log_post_deletion(*, post: Post, actor: User, reason: str, **_: object) -> None:
    """What posts' delete_post() tells of, in its transaction."""
    log_action(Action.DELETE, post, actor=actor, reason=reason)


def log_user_deletion(*, user: User, actor: Actor, reason: str, **_: object) -> None:
    """What accounts' delete_user() tells of, in its transaction."""
    log_action(Action.DELETE, user, actor=actor, reason=reason)


def _set_block(page: Page, *, for_good: bool, until: datetime | None) -> None:
    page.blocked_for_good, page.unblock_date = for_good, until
    # `updated_at` stays: a page that was blocked and unblocked is what it was.
    page.save(update_fields=["blocked_for_good", "unblock_date"])


def _set_blocked(user: User, is_blocked: bool) -> None:
    user.is_blocked = is_blocked
    user.revise()
    user.save(update_fields=["is_blocked", "revision", "updated_at"])
    forget_sessions(user=user)


def _state(user: User) -> UserState:
    return UserState(revision=user.revision, user_id=user.id)


def log_action(
    what: ModerationAction.Action,
    target: User | Page | Post | Registration,
    *,
    actor: Actor,
    reason: str,
    until: datetime | None = None,
) -> None:
    """For the transaction of what was done."""
    ModerationAction.objects.create(
        actor=actor if isinstance(actor, User) else None,
        action=what,
        target_kind=str(target._meta.model_name),
        target_id=target.pk,
        target=_readable(target),
        subject_id=_subject(target),
        reason=reason,
        until=until,
    )


def _readable(target: User | Page | Post | Registration) -> str:
    match target:
        case User():
            return target.username
        case Registration():
            # No account is there with which the name would go.
            return ""
        case Page():
            return target.uuid
        case Post():
            return f"{target.page.uuid}: {target.content}"


def _subject(target: User | Page | Post | Registration) -> UUID | None:
    match target:
        case User():
            return target.pk
        case Page():
            return target.owner_id
        case Post():
            return target.page.owner_id
        case Registration():
            return None
