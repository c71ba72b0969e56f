from celery import shared_task

from innotter.common.celery import ClockTask
from innotter.exports import making, services


@shared_task(name="innotter.exports.make_exports", base=ClockTask)
def make_exports() -> int:
    """Goes on with the archives that were asked for; how many are ready now."""
    return making.make_exports()


@shared_task(name="innotter.exports.forget_exports", base=ClockTask)
def forget_exports() -> int:
    """Deletes archives that are offered no longer; how many."""
    return services.forget_old_exports()
