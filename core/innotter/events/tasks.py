from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.events import services


@shared_task(name="innotter.events.prune_outbox", base=ClockTask)
def prune_outbox() -> int:
    """Deletes events that were published long ago; how many."""
    return services.prune_outbox()
