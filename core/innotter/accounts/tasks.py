from celery import shared_task

from innotter.accounts import names, sessions
from innotter.common.celery import ClockTask


@shared_task(name="innotter.accounts.prune_sessions", base=ClockTask)
def prune_sessions() -> int:
    """Deletes sessions that are over, and refresh tokens that have expired; how many."""
    return sessions.prune_sessions()


@shared_task(name="innotter.accounts.prune_names", base=ClockTask)
def prune_names() -> int:
    """Deletes reservations of former usernames that are over; how many."""
    return names.prune_names()
