"""Who gets which mail. A follower of the page, once a post, unless something forbids it by now."""

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from innotter.accounts.models import User
from innotter.mail.models import Delivery
from innotter.mail.ses import send_mail
from innotter.pages.models import Follow, Page
from innotter.pages.selectors import visible_to
from innotter.posts.models import Post

# The post's lock comes before the page's, which the new rows take: whoever deletes the page takes
# both in that order.
QUEUE_DELIVERIES = """
    INSERT INTO mail_delivery (id, created_at, updated_at, page_id, post_id, recipient_id)
    SELECT uuidv7(), now(), now(), post.page_id, post.id, follow.user_id
    FROM posts_post AS post
    JOIN pages_follow AS follow ON follow.page_id = post.page_id
    JOIN accounts_user AS reader ON reader.id = follow.user_id
    WHERE post.id = %s
      AND follow.accepted_at IS NOT NULL
      AND follow.muted_at IS NULL
      AND NOT reader.is_blocked
      AND reader.email_notifications <> 'off'
    FOR KEY SHARE OF post
    ON CONFLICT DO NOTHING
"""


def queue_deliveries(post_id: UUID) -> int:
    """One delivery for each follower of the post's page; how many are new."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUE_DELIVERIES, [post_id])
        return int(cursor.rowcount)


def send_deliveries(post_id: UUID) -> int:
    """Sends the post's waiting mails; how many were sent. Raises what SES raises: try again."""
    sent = 0
    while (one := _send_one(post_id)) is not None:
        sent += one
    return sent


def stop_mails(*, reader: User, page: Page) -> None:
    """No more mails about this page to this reader, until they say so or follow it anew."""
    now = timezone.now()
    follows = Follow.objects.filter(user=reader, page=page, muted_at=None)
    follows.update(muted_at=now, updated_at=now)


def resume_mails(*, reader: User, page: Page) -> None:
    follows = Follow.objects.filter(user=reader, page=page, muted_at__isnull=False)
    follows.update(muted_at=None, updated_at=timezone.now())


@transaction.atomic
def _send_one(post_id: UUID) -> int | None:
    """Sends one mail that waits and that nobody else is sending; None when there is no such.

    The row's lock is the claim: it ends with the worker that holds it, whatever becomes of
    that worker. One that dies between SES's answer and the commit leaves a mail that goes out
    twice; nothing else does.
    """
    delivery = (
        Delivery.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("post__page", "recipient")
        .filter(post=post_id, sent_at=None)
        .order_by("id")
        .first()
    )
    if delivery is None:
        return None
    if not _still_wanted(delivery):
        delivery.delete()
        return 0
    send_mail(
        to=delivery.recipient.email,
        subject=f"{delivery.post.page.name}: new post",
        text=_text(delivery.post),
    )
    delivery.sent_at = timezone.now()
    delivery.save(update_fields=["sent_at", "updated_at"])
    return 1


def _still_wanted(delivery: Delivery) -> bool:
    """Follows still, may see the post, is not blocked, and wants mail."""
    reader = delivery.recipient
    if reader.is_blocked or reader.email_notifications == reader.EmailNotifications.OFF:
        return False
    return Page.objects.filter(
        visible_to(reader),
        pk=delivery.page_id,
        follows__user=reader,
        follows__accepted_at__isnull=False,
        follows__muted_at=None,
    ).exists()


def _text(post: Post) -> str:
    link = f"{settings.CORE_URL}/api/v1/posts/{post.id}"
    return f"{post.page.name} wrote:\n\n{post.content}\n\n{link}\n"
