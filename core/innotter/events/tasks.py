from celery import shared_task

from innotter.events import services


@shared_task(name="innotter.events.prune_outbox")
def prune_outbox() -> int:
    """Deletes events that were published long ago; how many."""
    return services.prune_outbox()
