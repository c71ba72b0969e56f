"""What moderators and admins do to others. Each deed and its row in the log are one transaction."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from innotter.accounts.models import User
from innotter.accounts.services import forget_sessions
from innotter.common.errors import Conflict, Forbidden, Invalid
from innotter.events.services import record
from innotter.moderation.models import ModerationAction
from innotter.pages.models import Page
from innotter.pages.services import locked as locked_page
from innotter.posts.models import Post
from innotter.posts.services import delete_post as delete_any_post
from innotter_contracts.events import UserBlocked, UserState, UserUnblocked

Action = ModerationAction.Action


class BlockForGood(Forbidden):
    code = "block_for_good"
    detail = "Only an admin may block a page for good, or change or lift such a block."


class Oneself(Conflict):
    code = "oneself"
    detail = "Nobody can do this to themselves."


@transaction.atomic
def block_page(*, actor: User, page: Page, until: datetime | None, reason: str = "") -> None:
    """Blocks a page until a moment or, with None, for good, whatever block there was.

    `actor` is a moderator. Raises BlockForGood, Invalid, NotFound.
    """
    page = locked_page(page)
    if (until is None or page.blocked_for_good) and not actor.is_admin:
        raise BlockForGood
    if until is not None and until <= timezone.now():
        raise Invalid("until", "This moment is past.")
    _set_block(page, for_good=until is None, until=until)
    _log(Action.BLOCK, page, actor=actor, reason=reason, until=until)


@transaction.atomic
def unblock_page(*, actor: User, page: Page, reason: str = "") -> None:
    """Lifts the page's own block, if one runs; that of its owner stays.

    `actor` is a moderator. Raises BlockForGood, NotFound.
    """
    page = locked_page(page)
    if not page.own_block_runs:
        return
    if page.blocked_for_good and not actor.is_admin:
        raise BlockForGood
    _set_block(page, for_good=False, until=None)
    _log(Action.UNBLOCK, page, actor=actor, reason=reason)


@transaction.atomic
def block_user(*, actor: User, user: User, reason: str = "") -> None:
    """Shuts a user out and ends their sessions; once, however often it is called.

    Raises Oneself, and Forbidden when the actor is no admin any more.
    """
    user = _locked_user(user, actor)
    if user == actor:
        raise Oneself
    if user.is_blocked:
        return
    _set_blocked(user, True)
    record(UserBlocked(actor=actor.id, payload=_state(user)))
    _log(Action.BLOCK, user, actor=actor, reason=reason)


@transaction.atomic
def unblock_user(*, actor: User, user: User, reason: str = "") -> None:
    """Lets a user in again; nothing when they are not blocked.

    Raises Forbidden when the actor is no admin any more.
    """
    user = _locked_user(user, actor)
    if not user.is_blocked:
        return
    _set_blocked(user, False)
    record(UserUnblocked(actor=actor.id, payload=_state(user)))
    _log(Action.UNBLOCK, user, actor=actor, reason=reason)


@transaction.atomic
def set_role(*, actor: User, user: User, role: str, reason: str = "") -> User:
    """The user with that role.

    Raises Oneself, and Forbidden when the actor is no admin any more.
    """
    user = _locked_user(user, actor)
    if user == actor:
        raise Oneself
    return _with_role(user, role, actor=actor, reason=reason)


@transaction.atomic
def promote(*, user: User) -> None:
    """Makes an admin without being one: for those who run the server."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _with_role(user, User.Role.ADMIN, actor=None, reason="")


@transaction.atomic
def delete_post(*, actor: User, post: Post, reason: str = "") -> None:
    """Deletes a post of one's own page or, with a row in the log, as a moderator any other.

    Raises NotFound.
    """
    if post.page.owner_id != actor.id:
        _log(Action.DELETE, post, actor=actor, reason=reason)
    delete_any_post(actor=actor, post=post)


def _set_block(page: Page, *, for_good: bool, until: datetime | None) -> None:
    page.blocked_for_good, page.unblock_date = for_good, until
    # `updated_at` stays: a page that was blocked and unblocked is what it was.
    page.save(update_fields=["blocked_for_good", "unblock_date"])


def _locked_user(user: User, actor: User) -> User:
    """The user as they are now, while the actor is an admin and stays one until we are done.

    So one admin is always left: of two who act against each other at once, the second comes
    too late. Locked in the order of ids, so that neither waits for ever.
    """
    both = User.objects.select_for_update(no_key=True).filter(pk__in=[user.pk, actor.pk])
    locked = {found.pk: found for found in both.order_by("pk")}
    if not locked[actor.pk].is_admin or locked[actor.pk].is_blocked:
        raise Forbidden
    return locked[user.pk]


def _set_blocked(user: User, is_blocked: bool) -> None:
    user.is_blocked = is_blocked
    user.revise()
    user.save(update_fields=["is_blocked", "revision", "updated_at"])
    forget_sessions(user=user)


def _state(user: User) -> UserState:
    return UserState(revision=user.revision, user_id=user.id)


def _with_role(user: User, role: str, *, actor: User | None, reason: str) -> User:
    if user.role != role:
        user.role = role
        user.save(update_fields=["role", "updated_at"])
        _log(Action(f"make_{role}"), user, actor=actor, reason=reason)
    return user


def _log(
    action: ModerationAction.Action,
    target: User | Page | Post,
    *,
    actor: User | None,
    reason: str,
    until: datetime | None = None,
) -> None:
    ModerationAction.objects.create(
        actor=actor,
        action=action,
        target_kind=str(target._meta.model_name),
        target_id=target.pk,
        target=_readable(target),
        reason=reason,
        until=until,
    )


def _readable(target: User | Page | Post) -> str:
    match target:
        case User():
            return target.username
        case Page():
            return target.uuid
        case Post():
            return f"{target.page.uuid}: {target.content}"
