from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from celery import shared_task

from innotter.mail import services


@shared_task(
    name="innotter.mail.notify_followers",
    autoretry_for=(BotoCoreError, ClientError),
    retry_backoff=2,
    retry_backoff_max=600,
    # For ever: SES returns one day.
    max_retries=None,
)
def notify_followers(*, post_id: str) -> int:
    """Mails a new post to the followers of its page; how many mails left in this run."""
    services.queue_deliveries(UUID(post_id))
    return services.send_deliveries(UUID(post_id))
