"""How often one may try to register, to log in, to give a code and to refresh: by account and by
client IP.

No limit lets a stranger shut anybody out. Wrong passwords count for the account and the IP that
they come from together; those for an account from everywhere only slow IPs from which it has not
been logged in to before.
"""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from innotter.accounts.models import KnownIP, User
from innotter.common.clients import Client
from innotter.common.throttling import Use, consume, count, keyed_id, refund, refuse

# How long an IP is known after a login.
IP_KNOWN_FOR = timedelta(days=90)


def limit_registrations(username: str, client: Client) -> None:
    """Raises Throttled."""
    consume(
        Use("registrations_from_address", client.ip),
        Use("registrations_as_name", f"{username.lower()} {client.ip}"),
    )


def limit_refreshes(owner: UUID | None, client: Client) -> None:
    """`owner` is that of the refresh token, if there is one. Raises Throttled."""
    uses = [Use("refreshes_from_address", client.ip)]
    if owner is not None:
        uses.append(Use("refreshes_of_account", str(owner)))
    consume(*uses)


def limit_password_attempts(user: User | None, login: str, client: Client) -> tuple[Use, ...]:
    """Counts an attempt before the password is looked at, so that of many at once none slips by.

    What to refund() when the password was right. However the login was spelled, an account has
    one count; what names no account is counted as it was typed. Raises Throttled.
    """
    account = f"user {user.pk}" if user else f"login {login}"
    of_account = Use("failures_of_account", account)
    uses = (
        Use("failures_of_account_from_address", f"{account} {client.ip}"),
        Use("failures_from_address", client.ip),
        of_account,
    )
    over = count(*uses)
    if of_account in over and user is not None and _is_known(user, client):
        del over[of_account]
    if over:
        # What was not even looked at is no failure of the account's.
        refund(of_account)
        refuse(over)
    return uses


def limit_resets(mailbox: str, client: Client) -> bool:
    """Whether one more mail with a link to a new password may go there. Raises Throttled by where
    the request comes from alone."""
    consume(Use("resets_from_address", client.ip))
    return not count(Use("resets_to_mailbox", mailbox))


def may_ask_for_confirmation(mailbox: str) -> bool:
    """Whether one more mail may go there, no matter which account it is about."""
    return not count(Use("confirmations_to_mailbox", mailbox))


def limit_resends(mailbox: str) -> None:
    """Raises Throttled."""
    consume(Use("confirmations_to_mailbox", mailbox))


def limit_links(client: Client) -> Use:
    """Counts a try of a token before it is looked up: what to refund() where it was good. Raises
    Throttled."""
    use = Use("wrong_links_from_address", client.ip)
    consume(use)
    return use


def limit_code_attempts(user: User, client: Client) -> tuple[Use, ...]:
    """The same for codes of a second factor, by a limit of their own, as there are so few of them.
    Wrong ones from everywhere slow strangers alone, as wrong passwords do.

    What to refund() when the code was right. Raises Throttled.
    """
    of_account = Use("wrong_codes_of_account", str(user.pk))
    uses = (Use("wrong_codes_of_account_from_address", f"{user.pk} {client.ip}"), of_account)
    over = count(*uses)
    if of_account in over and _is_known(user, client):
        del over[of_account]
    if over:
        refund(of_account)
        refuse(over)
    return uses


def limit_challenges(client: Client) -> None:
    """Raises Throttled."""
    consume(Use("challenges_from_address", client.ip))


def remember_ip(user: User, client: Client) -> None:
    """After a login."""
    KnownIP.objects.bulk_create(
        [KnownIP(id=_known_id(user, client), user=user)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["updated_at"],
    )


def _is_known(user: User, client: Client) -> bool:
    since = timezone.now() - IP_KNOWN_FOR
    return KnownIP.objects.filter(pk=_known_id(user, client), updated_at__gt=since).exists()


def _known_id(user: User, client: Client) -> UUID:
    return keyed_id(f"known IP\n{user.pk} {client.ip}")
