from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.posts import services


@shared_task(name="innotter.posts.prune_keys", base=ClockTask)
def prune_keys() -> int:
    """Deletes idempotency keys that are over; how many."""
    return services.prune_keys()
