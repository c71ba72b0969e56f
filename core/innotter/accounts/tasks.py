from celery import shared_task

from innotter.accounts import (
    account_mail,
    challenges,
    devices,
    names,
    registrations,
    sessions,
)
from innotter.common.celery import ClockTask


@shared_task(name="innotter.accounts.prune_sessions", base=ClockTask)
def prune_sessions() -> int:
    """Deletes sessions that are over, and refresh tokens that have expired; how many."""
    return sessions.prune_sessions()


@shared_task(name="innotter.accounts.prune_names", base=ClockTask)
def prune_names() -> int:
    """Deletes reservations of former usernames that are over; how many."""
    return names.prune_names()


@shared_task(name="innotter.accounts.prune_account_mail", base=ClockTask)
def prune_account_mail() -> int:
    """Deletes mails about accounts that ended long ago, and tokens and reservations that are over;
    how many."""
    return account_mail.prune_account_mail()


@shared_task(name="innotter.accounts.prune_devices", base=ClockTask)
def prune_devices() -> int:
    """Deletes devices that are known no longer; how many."""
    return devices.prune_devices()


@shared_task(name="innotter.accounts.prune_challenges", base=ClockTask)
def prune_challenges() -> int:
    """Deletes challenges and secrets of authenticator apps that nobody answered in time; how
    many."""
    return challenges.prune_challenges()


@shared_task(name="innotter.accounts.prune_registrations", base=ClockTask)
def prune_registrations() -> int:
    """Deletes claims on accounts, and invitations, that are over; how many."""
    return registrations.prune_registrations()
