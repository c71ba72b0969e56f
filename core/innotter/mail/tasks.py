from uuid import UUID

from celery import shared_task

from innotter.common.celery import ClockTask, OwedTask
from innotter.mail import queueing, sending


@shared_task(name="innotter.mail.notify_followers", base=OwedTask)
def notify_followers(*, post_id: str) -> int:
    """Queues a new post for the followers of its page, and sends; how many mails left in this
    run."""
    return sending.notify_followers(UUID(post_id))


@shared_task(name="innotter.mail.send_due", base=ClockTask)
def send_due() -> int:
    """Sends whatever is due by now; how many mails left in this run."""
    sending.give_up_claims()
    return sending.send_due()


@shared_task(name="innotter.mail.reschedule", base=OwedTask)
def reschedule(*, user_id: str) -> int:
    """A reader's window is another one now; how many deliveries that concerns."""
    return queueing.reschedule(UUID(user_id))


@shared_task(name="innotter.mail.prune_deliveries", base=ClockTask)
def prune_deliveries() -> int:
    """Deletes deliveries that ended long ago; how many."""
    return queueing.prune_deliveries()
