from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.pages import names


@shared_task(name="innotter.pages.prune_uuids", base=ClockTask)
def prune_uuids() -> int:
    """Deletes reservations of former uuids that are over; how many."""
    return names.prune_uuids()
