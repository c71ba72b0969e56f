"""What cannot be published is deferred with its error, and holds up nothing."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone
from kombu import Connection, Exchange, Queue

from innotter.accounts.models import User
from innotter.conftest import signed_in
from innotter.events import relay
from innotter.events.models import OutboxEvent
from innotter.events.publisher import Publisher
from innotter.events.relay import Reactions, relay_batch
from innotter.events.services import requeue_due
from innotter.events.tests.test_relay import arrived, greet, nothing, owed, running, until, waiting
from innotter_contracts.events import STATS_QUEUE, Event

pytestmark = pytest.mark.django_db(transaction=True)


def task_for(exchange: str) -> Any:
    """A task whose message no queue takes."""
    to = Exchange(exchange, type="topic", no_declare=True)
    return greet.s(name="Bob").set(
        queue=Queue("nowhere", to, routing_key="nowhere", no_declare=True)
    )


def but_for(odd: UUID, reaction: Callable[[], list[Any]]) -> Reactions:
    """Nothing follows from any event but the odd one."""

    def reactions(event: Event) -> list[Any]:
        return reaction() if event.id == odd else []

    return reactions


def failing() -> list[Any]:
    # PostgreSQL keeps neither of these characters.
    raise ValueError("a bug\0\ud800")


def deferred() -> OutboxEvent:
    return OutboxEvent.objects.get(next_attempt_at__isnull=False)


@pytest.mark.parametrize(
    ("reaction", "error"),
    [
        (failing, "ValueError: a bug"),
        (lambda: [greet.s(name=object())], "TypeError: Object of type object is not JSON"),
        # Found by AMQP alone, when it writes the message.
        (lambda: [task_for("celery").set(shadow=object())], "Table type"),
        (lambda: [task_for("x" * 256)], "0 <= number <= 255"),
        (lambda: [task_for("celery")], "no queue for 'nowhere' at 'celery'"),
        # The broker ends the channel over this one and does not say which it was.
        (lambda: [task_for("no.such.exchange")], "no exchange 'no.such.exchange'"),
    ],
)
def test_one_event_that_cannot_be_published_holds_up_no_other(
    amqp_url: str, broker: Connection, reaction: Callable[[], list[Any]], error: str
) -> None:
    events = owed(7)
    odd = events[2].id
    with Publisher(amqp_url) as publisher:
        assert relay_batch(publisher, but_for(odd, reaction)) == 7
        assert relay_batch(publisher, nothing) == 0
        row = deferred()
        assert (row.id, row.attempts) == (odd, 1)
        assert error in row.error
        assert row.published_at is None
        assert OutboxEvent.objects.filter(published_at__isnull=False).count() == 6

        call_command("requeue", stdout=StringIO())
        assert relay_batch(publisher, nothing) == 1
    assert waiting() == 0
    # Some may have come twice: those that were on their way when the channel ended.
    ids = {message.properties["message_id"] for message in arrived(broker, STATS_QUEUE)}
    assert ids == {str(event.id) for event in events}


def test_an_event_of_an_unknown_type_is_deferred(amqp_url: str, broker: Connection) -> None:
    unknown, *_ = owed(2)
    OutboxEvent.objects.filter(id=unknown.id).update(body={"type": "page.painted"})
    with Publisher(amqp_url) as publisher:
        assert relay_batch(publisher, nothing) == 2
    row = deferred()
    assert row.id == unknown.id
    assert row.error.startswith("InvalidEvent: ")
    assert waiting() == 1


def test_when_no_queue_is_there_all_of_it_comes_back_by_itself(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = owed(3)
    with Publisher(amqp_url) as publisher:
        for attempt in range(1, 4):
            assert relay_batch(publisher, lambda _: [task_for("celery")]) == 3
            rows = OutboxEvent.objects.filter(next_attempt_at__isnull=False, attempts=attempt)
            # Each time for longer.
            assert rows.filter(next_attempt_at__gt=timezone.now()).count() == 3
            assert requeue_due(limit=10) == 0
            rows.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
            assert requeue_due(limit=10) == 3
    assert OutboxEvent.objects.filter(attempts=3, published_at=None).count() == len(events)

    monkeypatch.setattr(relay, "POLL_SECONDS", 0.1)
    OutboxEvent.objects.update(next_attempt_at=timezone.now())
    with running(amqp_url):
        until(lambda: waiting() == 0)


def test_the_longest_delay_has_an_end(amqp_url: str, broker: Connection) -> None:
    owed()
    OutboxEvent.objects.update(attempts=1_000)
    with Publisher(amqp_url) as publisher:
        relay_batch(publisher, but_for(OutboxEvent.objects.get().id, failing))
    left = deferred().next_attempt_at - timezone.now()  # type: ignore[operator] # it is set
    assert timedelta(minutes=1) < left <= timedelta(minutes=5)


def long_deferred(count: int = 1) -> list[UUID]:
    """Events that are deferred for a long time."""
    ids = [event.id for event in owed(count)]
    until_then = timezone.now() + timedelta(hours=1)
    OutboxEvent.objects.filter(id__in=ids).update(next_attempt_at=until_then, error="no queue")
    return ids


def test_the_command_requeues_all_or_one() -> None:
    first, *_ = long_deferred(3)
    said = StringIO()
    call_command("requeue", str(first), stdout=said)
    assert OutboxEvent.objects.filter(next_attempt_at=None).get().id == first
    call_command("requeue", stdout=said)
    assert said.getvalue() == "1 requeued.\n2 requeued.\n"


def test_the_panel_shows_and_requeues_them(admin: User) -> None:
    [event_id] = long_deferred()
    browser = signed_in(admin)
    url = "/admin/events/outboxevent/"
    shown = browser.get(url, {"state": "deferred"})
    assert [row.id for row in shown.context["cl"].result_list] == [event_id]
    assert "no queue" in shown.content.decode()
    assert not browser.get(url, {"state": "waiting"}).context["cl"].result_list

    chosen = {"action": "requeue", "_selected_action": [str(event_id)], "index": 0}
    done = browser.post(url, chosen, follow=True)
    assert [str(message) for message in done.context["messages"]] == ["Requeued: 1."]
    assert OutboxEvent.objects.get(id=event_id).next_attempt_at is None
