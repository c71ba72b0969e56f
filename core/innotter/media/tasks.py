from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.media import services


@shared_task(name="innotter.media.forget_pictures", base=ClockTask)
def forget_pictures() -> int:
    """Deletes pictures that nobody shows any more; how many."""
    return services.forget_pictures()
