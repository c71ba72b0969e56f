"""How fast statistics counts, how late, and in how much memory.

    make bench ARGS=counting

1. Events a second, one transaction an event beside batches as the consumer makes them. Both take
   turns on the same engine, in one thread.
2. From the moment that an event is recorded until it is counted, at 100 events a second for ten
   seconds, through the outbox, a relay, RabbitMQ and a consumer.
3. A backlog of 100,000 events: how fast one consumer drains it, and its memory on the way.
4. GET statistics of a year, twenty at a time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from pathlib import Path
from random import Random
from uuid import UUID

import django
import psutil
from kombu import Connection, Producer, Queue

from innotter_contracts.events import (
    EXCHANGE,
    STATS_QUEUE,
    PageCreated,
    PostAndUser,
    PostLiked,
)
from innotter_contracts.ids import new_id
from innotter_stats.settings import Settings
from innotter_stats.store import Store, create_client, create_table

ROUNDS = 5
PAGES = [new_id() for _ in range(50)]
CHANCE = Random(1)  # noqa: S311 (no secret)


def main() -> None:
    table = f"bench-{new_id()}"
    client = create_client()
    create_table(client, table)
    os.environ |= {"STATISTICS_TABLE": table, "LOG_STYLE": "json"}
    store = Store(client, table)
    try:
        throughput(store)
        reading(store)
        lag()
        backlog()
    finally:
        client.delete_table(TableName=table)


def throughput(store: Store) -> None:
    size = Settings().consumer_batch_size
    ratios = []
    for _ in range(ROUNDS):
        singly = rate(store, 100, 1)
        together = rate(store, 4 * size, size)
        ratios.append(together / singly)
        print(f"  singly {singly:6.0f}/s   in batches {together:6.0f}/s   {ratios[-1]:5.1f} times")
    print(f"1. {statistics.median(ratios):.1f} times the events a second, in batches of {size}")


def rate(store: Store, events: int, size: int) -> float:
    likes = [like() for _ in range(events)]
    started = time.perf_counter()
    for batch in batched(likes, size, strict=False):
        store.apply(batch)
    return events / (time.perf_counter() - started)


def lag() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "innotter.config.settings"
    results = os.fdopen(os.dup(1), "w")
    django.setup()
    from django.db import transaction  # noqa: PLC0415 (settings come first)

    from innotter.events.services import record  # noqa: PLC0415

    relay = [sys.executable, "core/manage.py", "run", "relay"]
    with running("consumer", *CONSUMER) as log, running("relay", *relay):
        first = one(record, transaction)
        wait(lambda: counted(log, [first]))
        recorded: dict[str, float] = {}
        begun = time.monotonic()
        for n in range(1_000):
            time.sleep(max(0, begun + n / 100 - time.monotonic()))
            recorded[one(record, transaction)] = time.time()
        wait(lambda: counted(log, list(recorded)))
        times = {
            line["event_id"]: datetime.fromisoformat(line["timestamp"]).timestamp()
            for line in lines(log)
            if line["event"] == "event_counted"
        }
    lags = sorted(times[event] - moment for event, moment in recorded.items())
    print(
        f"2. late by {lags[500] * 1000:.0f} ms (median), {lags[990] * 1000:.0f} ms (p99)",
        file=results,
        flush=True,
    )


def one(record, transaction) -> str:  # type: ignore[no-untyped-def]
    event = like()
    with transaction.atomic():
        record(event)
    return str(event.id)


def backlog() -> None:
    amount = 100_000
    with Connection(os.environ["AMQP_URL"]) as connection:
        producer = Producer(connection.channel())
        for _ in range(amount):
            event = like()
            producer.publish(
                event.model_dump_json().encode(),
                exchange=EXCHANGE,
                routing_key=event.type,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
            )
        queue = Queue(STATS_QUEUE, channel=connection.channel())
        wait(lambda: queue.queue_declare(passive=True).message_count >= amount)
        with running("consumer", *CONSUMER) as log:
            process = psutil.Process(log.pid)
            memory, started = [], time.monotonic()
            while queue.queue_declare(passive=True).message_count:
                memory.append(process.memory_info().rss / 2**20)
                connection.heartbeat_check()
                time.sleep(0.5)
            seconds = time.monotonic() - started
    tenth = memory[len(memory) // 10 :]
    print(
        f"3. {amount} waiting: {amount / seconds:.0f}/s, "
        f"memory {tenth[0]:.0f} MB after a tenth, {max(tenth):.0f} MB at most"
    )


def reading(store: Store) -> None:
    page, uuid, today = new_id(), f"bench-{new_id().hex[-12:]}", datetime.now(UTC)
    created = PageCreated.Payload(
        revision=1, page_id=page, uuid=uuid, name="Bench", owner_id=new_id()
    )
    store.apply([PageCreated(actor=None, payload=created)])
    store.apply([like(page, today - timedelta(days=n)) for n in range(366)])
    first, last = date.fromordinal(today.date().toordinal() - 365), today.date()

    def read(_: int) -> float:
        started = time.perf_counter()
        found = store.statistics(uuid, first, last)
        assert found
        assert len(found.days) == 366
        return (time.perf_counter() - started) * 1000

    with ThreadPoolExecutor(20) as pool:
        alone = sorted(map(read, range(100)))
        times = sorted(pool.map(read, range(600)))
    print(
        f"4. a year is read in {alone[50]:.0f} ms (median) and {alone[98]:.0f} ms (p99), "
        f"twenty at a time in {times[300]:.0f} ms and {times[594]:.0f} ms"
    )


# --- Tools

CONSUMER = [sys.executable, "-m", "innotter_stats.run", "consumer"]


def like(page: UUID | None = None, at: datetime | None = None) -> PostLiked:
    payload = PostAndUser(page_id=page or CHANCE.choice(PAGES), post_id=new_id(), user_id=new_id())
    return PostLiked(actor=None, occurred_at=at or datetime.now(UTC), payload=payload)


class Log:
    def __init__(self, path: Path, pid: int) -> None:
        self.path = path
        self.pid = pid


@contextmanager
def running(name: str, *command: str) -> Iterator[Log]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.log")
        with path.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            yield Log(path, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def lines(log: Log) -> Iterator[dict[str, str]]:
    for line in log.path.read_text().splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            yield json.loads(line)


def counted(log: Log, events: list[str]) -> bool:
    seen = {line.get("event_id") for line in lines(log) if line["event"] == "event_counted"}
    return set(events) <= seen


def wait(condition, seconds: float = 120) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what was waited for did not happen"
        time.sleep(0.1)


if __name__ == "__main__":
    main()
