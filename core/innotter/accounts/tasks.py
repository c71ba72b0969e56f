from celery import shared_task

from innotter.accounts import services


@shared_task(name="innotter.accounts.prune_sessions")
def prune_sessions() -> int:
    """Deletes sessions that are over, and refresh tokens that have expired; how many."""
    return services.prune_sessions()
