"""The mails about accounts: who still gets one when it is about to leave, and what it says.

Another kind is a member of AccountMail.Kind, a line in KINDS, and a pair of templates,
mail/account/KIND.txt and .html.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy

from innotter.accounts.mail_tokens import is_void, mint_mail_token
from innotter.accounts.models import AccountMail, FormerMailbox, MailToken, User
from innotter.accounts.registrations import claim_of, registration_token
from innotter.common.devices import device_name
from innotter.common.time_zones import zone
from innotter.mail.message import EmailMessage
from innotter.mail.selectors import suppressed

Kind, Purpose = AccountMail.Kind, MailToken.Purpose


@dataclass(frozen=True)
class Form:
    """`purpose` is that of the token that its link brings, below `path` on the site.
    `to_blocked`: a blocked account gets it too, as only what ends the account is."""

    subject: Any
    purpose: MailToken.Purpose | None = None
    path: str = ""
    to_blocked: bool = False


KINDS = {
    Kind.CONFIRM: Form(
        gettext_lazy("Confirm your e-mail address"), purpose=Purpose.CONFIRM, path="/confirm/"
    ),
    Kind.EMAIL_IN_USE: Form(gettext_lazy("Your e-mail address was given for another account")),
    Kind.EMAIL_CHANGED: Form(
        gettext_lazy("Your e-mail address was changed"), purpose=Purpose.UNDO, path="/undo/"
    ),
    Kind.PASSWORD_RESET: Form(
        gettext_lazy("Set a new password"), purpose=Purpose.RESET, path="/password/reset/"
    ),
    Kind.PASSWORD_CHANGED: Form(gettext_lazy("Your password was changed")),
    Kind.NEW_LOGIN: Form(gettext_lazy("A login from a new device")),
    Kind.LEAVING: Form(gettext_lazy("Your account will be deleted"), to_blocked=True),
    Kind.GONE: Form(gettext_lazy("Your account is deleted"), to_blocked=True),
    Kind.EXPORT_READY: Form(gettext_lazy("Your data is ready")),
    Kind.FACTOR_CHANGED: Form(gettext_lazy("Your second factor was changed")),
    Kind.REGISTRATION: Form(gettext_lazy("Confirm your e-mail address"), path="/confirm/"),
    Kind.REGISTRATION_APPROVED: Form(gettext_lazy("Your account is open")),
    Kind.REGISTRATION_REJECTED: Form(gettext_lazy("Your registration was not accepted")),
    Kind.ALREADY_REGISTERED: Form(gettext_lazy("You have an account already")),
}


def write_account_mails(mails: Sequence[AccountMail]) -> dict[UUID, EmailMessage]:
    """By the id of each that its reader still gets. Locks their accounts: a token that is minted
    here is void with all others of the account, if they become so at this moment."""
    users = _locked_users(mails)
    stopped = suppressed({mail.address.lower() for mail in mails})
    return {
        mail.id: _written(mail, user)
        for mail in mails
        if _is_wanted(mail, user := _user_of(mail, users), stopped)
    }


def _locked_users(mails: Sequence[AccountMail]) -> Collection[User]:
    """Of the mails, and of the mailboxes for which a new password was asked."""
    ids = {mail.user_id for mail in mails if mail.user_id}
    mailboxes = [mail.address for mail in mails if mail.kind == Kind.PASSWORD_RESET]
    holders = User.objects.filter(email__lower__in=mailboxes).values_list("id", flat=True)
    # In the order of ids, so that of two workers neither waits for the other for ever.
    found = User.objects.select_for_update(no_key=True).filter(pk__in=ids | set(holders))
    return list(found.order_by("pk"))


def _user_of(mail: AccountMail, users: Collection[User]) -> User | None:
    if mail.user_id:
        return next((user for user in users if user.id == mail.user_id), None)
    if mail.kind != Kind.PASSWORD_RESET:
        return None
    # Whose mailbox it is now.
    return next((user for user in users if _has(user, mail.address)), None)


def _has(user: User, mailbox: str) -> bool:
    return (user.email or "").lower() == mailbox.lower()


def _is_wanted(mail: AccountMail, user: User | None, stopped: Collection[str]) -> bool:
    form = KINDS[Kind(mail.kind)]
    if mail.address.lower() in stopped and mail.kind not in {Kind.CONFIRM, Kind.REGISTRATION}:
        return False
    if mail.kind == Kind.REGISTRATION:
        return claim_of(registration_token(UUID(mail.facts["registration"]))) is not None
    if user is None:
        return form.purpose is None
    if user.is_blocked and not form.to_blocked:
        return False
    if form.purpose and is_void(user, form.purpose, mail.created_at):
        return False
    return _is_true_still(mail, user)


def _is_true_still(mail: AccountMail, user: User) -> bool:
    """Of a mail with a link, whether it would be good."""
    match mail.kind:
        case Kind.CONFIRM:
            again = mail.facts.get("again") and _has(user, mail.address)
            return bool(again) or user.pending_email == mail.address
        case Kind.PASSWORD_RESET:
            return _has(user, mail.address)
        case Kind.EMAIL_CHANGED:
            return FormerMailbox.objects.filter(user=user, mailbox=mail.address).exists()
    return True


def _written(mail: AccountMail, user: User | None) -> EmailMessage:
    form = KINDS[Kind(mail.kind)]
    token = mint_mail_token(user, form.purpose, mail.address) if user and form.purpose else ""
    if mail.kind == Kind.REGISTRATION:
        token = registration_token(UUID(mail.facts["registration"]))
    context = {
        **mail.facts,
        "username": user.username if user else "",
        "address": mail.address,
        "site": urlsplit(settings.CORE_URL).netloc,
        "site_url": settings.CORE_URL,
        "link": f"{settings.CORE_URL}{form.path}{token}" if token else "",
    }
    # Asked for by who knew the address alone: in the language of who reads it.
    unasked = user if user and mail.user_id is None else None
    language = unasked.language if unasked else mail.language
    clocks = zone(user.time_zone if user else "UTC")
    with translation.override(language), timezone.override(clocks):
        context |= _in_words(mail.facts)
        subject = str(form.subject)
        context["subject"] = subject
        return EmailMessage(
            to=mail.address,
            subject=subject,
            text=render_to_string(f"mail/account/{mail.kind}.txt", context),
            html=render_to_string(f"mail/account/{mail.kind}.html", context),
        )


def _in_words(facts: dict[str, Any]) -> dict[str, str]:
    """Those that a reader's language and clocks say differently: a moment, a device."""
    words = {}
    if moment := parse_datetime(facts.get("at", "")):
        local = timezone.localtime(moment)
        words["at"] = f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    if "user_agent" in facts:
        words["device"] = device_name(facts["user_agent"])
    return words
