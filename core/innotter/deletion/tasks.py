from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.deletion import services


@shared_task(name="innotter.deletion.delete_due", base=ClockTask)
def delete_due() -> int:
    """Goes on deleting the accounts whose week is over; how many are gone now."""
    return services.delete_due()
