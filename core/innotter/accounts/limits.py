"""How often one may try to register, log in and refresh: by account and by address.

No limit lets a stranger shut anybody out. Wrong passwords count for the account and the address
that they come from together; those for an account from everywhere only slow addresses from which
it has not been logged in to before.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.request import Request

from innotter.accounts.selectors import owner_of
from innotter.accounts.services import WrongCredentials, WrongPassword
from innotter.common.throttling import Use, client_ip, count, give_back, is_counted, refuse, take


def registering(request: Request, username: str) -> None:
    """Raises Throttled."""
    address = client_ip(request)
    take(
        Use("registrations_from_address", address),
        Use("registrations_as_name", f"{username.lower()} {address}"),
    )


def refreshing(request: Request, token: str) -> None:
    """Raises Throttled."""
    uses = [Use("refreshes_from_address", client_ip(request))]
    if owner := owner_of(token):
        uses.append(Use("refreshes_of_account", str(owner)))
    take(*uses)


@contextmanager
def proving(request: Request, login: str) -> Iterator[None]:
    """Around the check of a password: only wrong ones count. Raises Throttled."""
    address = client_ip(request)
    pair = f"{login.lower()} {address}"
    known = Use("known_addresses", pair)
    of_account = Use("failures_of_account", login.lower())
    uses = (
        Use("failures_of_account_from_address", pair),
        Use("failures_from_address", address),
        of_account,
    )
    # Counted beforehand: of many guesses at once none slips by.
    over = count(*uses)
    if of_account in over and is_counted(known):
        del over[of_account]
    if over:
        # What was not even looked at is no failure of the account's.
        give_back(of_account)
        refuse(over)
    try:
        yield
    except (WrongCredentials, WrongPassword):
        raise
    except BaseException:
        give_back(*uses)
        raise
    give_back(*uses)
    count(known)
