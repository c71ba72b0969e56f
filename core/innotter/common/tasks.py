from celery import shared_task

from innotter.common import throttling
from innotter.common.celery import ClockTask


@shared_task(name="innotter.common.prune_usage", base=ClockTask)
def prune_usage() -> int:
    """Deletes counts whose time is over; how many."""
    return throttling.prune_usage()
