"""What follows from each event, on one page. Statistics has a queue of its own with all of them."""

from collections.abc import Iterator
from typing import Any

from celery.canvas import Signature

# The tasks are tasks of this app, in whichever process reads this page.
from innotter.config.celery import app  # noqa: F401
from innotter.mail import tasks as mail
from innotter_contracts.events import Event, NotificationsChanged, PostCreated


def reactions_to(event: Event) -> Iterator[Signature[Any]]:
    """The Celery tasks that an event calls for; the relay sends them."""
    match event:
        case PostCreated(payload=post) if post.reply_to is None:
            yield mail.notify_followers.s(post_id=str(post.post_id))
        case NotificationsChanged(payload=user):
            yield mail.reschedule.s(user_id=str(user.user_id))
