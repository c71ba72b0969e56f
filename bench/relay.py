"""How fast the relay carries events, beside kombu alone publishing the same messages.

    make bench ARGS=relay

Two rivals publish the messages that the relay has sent, ready-made, with confirms: `plain` writes
a batch and waits for its confirms, as the relay does; `each` waits for each confirm, as kombu does
by itself. All three take turns, so that they meet the same machine, and begin with empty queues.
One event in five is a post, which has a message for the mail besides. The log lines of the relay
are made and thrown away.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import batched

import django
from django.conf import settings
from django.db import transaction
from kombu import Connection, Message, Producer, Queue

from innotter_contracts.events import MAIL_QUEUE, STATS_QUEUE, PostCreated, PostLiked
from innotter_contracts.ids import new_id

EVENTS = 10_000
# For the slow one.
FEW = 1_000
ROUNDS = 5


def main() -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "innotter.config.settings", "LOG_STYLE": "json"}
    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    django.setup()

    owe_events()
    relay_all()
    messages = sent_messages()
    count = len(messages)
    rates: dict[str, list[float]] = {"relay": [], "plain": [], "each": []}
    for _ in range(ROUNDS):
        owe_events()
        rates["relay"].append(count / seconds(relay_all))
        rates["plain"].append(count / seconds(partial(publish_batches, messages)))
        rates["each"].append(FEW / seconds(partial(publish_each, messages[:FEW])))
    plain = statistics.median(rates["plain"])
    for name, found in rates.items():
        own = statistics.median(found)
        print(f"{name:<6} {own:>7,.0f} messages/s {own / plain:>6.0%} of plain", file=results)


def seconds(work: Callable[[], object]) -> float:
    with Connection(settings.AMQP_URL) as connection:
        for queue in (STATS_QUEUE, MAIL_QUEUE):
            Queue(queue, channel=connection.default_channel).purge()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def owe_events() -> None:
    """Fills the outbox with EVENTS."""
    from innotter.events.models import OutboxEvent  # noqa: PLC0415 # settings come first
    from innotter.events.services import record  # noqa: PLC0415

    OutboxEvent.objects.all().delete()
    for numbers in batched(range(EVENTS), 1_000, strict=False):
        with transaction.atomic():
            record(*(_post() if number % 5 == 0 else _like() for number in numbers))


def relay_all() -> None:
    from innotter.config.reactions import reactions_to  # noqa: PLC0415
    from innotter.events.publisher import Publisher  # noqa: PLC0415
    from innotter.events.relay import relay_batch  # noqa: PLC0415

    with Publisher(settings.AMQP_URL) as publisher:
        while relay_batch(publisher, reactions_to):
            pass


def sent_messages() -> list[Message]:
    """What lies in the queues, taken out of them; one from the mail's after four of the others."""
    with Connection(settings.AMQP_URL) as connection:
        events, mails = (
            list(
                iter(
                    partial(Queue(name, channel=connection.default_channel).get, no_ack=True), None
                )
            )
            for name in (STATS_QUEUE, MAIL_QUEUE)
        )
    return [
        message
        for five, mail in zip(batched(events, 5, strict=True), mails, strict=True)
        for message in (*five, mail)
    ]


def publish_batches(messages: Sequence[Message]) -> None:
    from innotter.events.relay import BATCH  # noqa: PLC0415

    unconfirmed: set[int] = set()

    def confirmed(tag: int, multiple: bool) -> None:
        unconfirmed.difference_update(range(min(unconfirmed), tag + 1) if multiple else [tag])

    with Connection(settings.AMQP_URL) as connection:
        channel = connection.default_channel
        channel.confirm_select()
        channel.events["basic_ack"].add(confirmed)
        numbered = enumerate(messages, 1)
        for batch in batched(numbered, BATCH, strict=False):
            unconfirmed.update(number for number, _ in batch)
            _publish(channel, (message for _, message in batch))
            while unconfirmed:
                connection.drain_events(timeout=30)


def publish_each(messages: Sequence[Message]) -> None:
    with Connection(settings.AMQP_URL, transport_options={"confirm_publish": True}) as connection:
        _publish(connection.default_channel, messages)


def _publish(channel: object, messages: Iterable[Message]) -> None:
    producer = Producer(channel, auto_declare=False)
    for message in messages:
        producer.publish(
            message.body,
            exchange=message.delivery_info["exchange"],
            routing_key=message.delivery_info["routing_key"],
            headers=message.headers,
            mandatory=True,
            # Type, encoding and delivery mode among them.
            **{k: v for k, v in message.properties.items() if k != "application_headers"},
        )


def _post() -> PostCreated:
    return PostCreated.model_validate(_event(post_id=new_id(), page_id=new_id()))


def _like() -> PostLiked:
    return PostLiked.model_validate(_event(post_id=new_id(), page_id=new_id(), user_id=new_id()))


def _event(**payload: object) -> dict[str, object]:
    return {"actor": new_id(), "request_id": str(new_id()), "payload": payload}


if __name__ == "__main__":
    main()
