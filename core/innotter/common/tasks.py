from celery import shared_task

from innotter.common import throttling


@shared_task(name="innotter.common.prune_usage")
def prune_usage() -> int:
    """Deletes counts whose time is over; how many."""
    return throttling.prune_usage()
