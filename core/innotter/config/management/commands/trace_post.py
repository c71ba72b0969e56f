from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Max

from innotter.events.models import OutboxEvent
from innotter.events.services import KEPT
from innotter.mail.models import Delivery
from innotter.posts.models import Post
from innotter.statistics.stored import is_counted
from innotter_contracts.ids import first_id_of, moment_of

# Between the making of a post's id and that of its event's: one transaction.
AT_MOST = timedelta(minutes=5)


class Command(BaseCommand):
    help = "Says where a post's effects stand: its event, its mails, its place in the statistics."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=UUID, help="of the post")

    def handle(self, *args: Any, **options: Any) -> None:
        post_id = options["id"]
        if post_id.version != 7:
            raise CommandError(f"{post_id} is no id of a post.")
        event = event_of(post_id)
        for what, lines in (
            ("post", about_post(post_id)),
            ("event", about_event(event)),
            ("mail", about_mail(post_id)),
            ("statistics", about_statistics(event)),
        ):
            for line in lines:
                self.stdout.write(f"{what:<12}{line}")


def event_of(post_id: UUID) -> OutboxEvent | None:
    """That the post was made. Ids sort by their moment, so that few rows are looked at."""
    made = moment_of(post_id)
    return OutboxEvent.objects.filter(
        id__range=(first_id_of(made), first_id_of(made + AT_MOST)),
        type="post.created",
        body__payload__post_id=str(post_id),
    ).first()


def about_post(post_id: UUID) -> Iterator[str]:
    post = Post.objects.select_related("page").filter(pk=post_id).first()
    if post is None:
        yield "deleted, or never there"
    else:
        yield f"{'reply' if post.reply_to_id else 'post'} on {post.page.uuid}, {post.created_at}"


def about_event(event: OutboxEvent | None) -> Iterator[str]:
    if event is None:
        yield f"not in the outbox: older than {KEPT.days} days, or never there"
        return
    yield f"{event.id}, request {event.body.get('request_id')}"
    if event.published_at:
        yield f"published {event.published_at}"
    elif event.next_attempt_at:
        yield f"deferred until {event.next_attempt_at}, {event.attempts} attempts: {event.error}"
    else:
        yield "waits for the relay"


def about_mail(post_id: UUID) -> Iterator[str]:
    states = (
        Delivery.objects.filter(post=post_id)
        .values_list("state")
        .annotate(Count("id"), Max("updated_at"))
        .order_by("state")
    )
    for state, count, last in states:
        yield f"{state}: {count}, the last {last}"
    if not states:
        yield "none yet, or no recipients"


def about_statistics(event: OutboxEvent | None) -> Iterator[str]:
    """The last section: without their table the others are told. Raises StatisticsUnavailable."""
    if event is None:
        yield "unknown without the event"
        return
    yield "counted" if is_counted(event.id) else "not counted yet"
