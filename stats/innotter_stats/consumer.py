"""Takes events from RabbitMQ in batches and has them counted; the only module that knows AMQP.

A message is acknowledged only after DynamoDB has said that
its event is counted; after any failure in between the broker delivers it again, and the store
counts it once. SIGTERM finishes the running batch.
"""

import math
import signal
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from amqp.exceptions import AccessRefused
from kombu import Connection, Exchange, Message, Queue
from kombu import Consumer as QueueConsumer

from innotter_contracts.backoff import delays
from innotter_contracts.events import (
    DELAYS,
    STATS_QUEUE,
    Event,
    InvalidEvent,
    NewerEvent,
    parse_event,
)
from innotter_contracts.logs import configure_logs
from innotter_stats import settings
from innotter_stats.metrics import BATCH_EVENTS, BATCH_SECONDS, EVENTS, LAG, Pulse, serve
from innotter_stats.store import Store, StoreUnavailable, calls_for, create_client

# Seconds. The broker gives up on us after two of them, so no single call may take that long.
HEARTBEAT = 30
# Seconds within which we notice, when nothing comes, that we shall stop.
IDLE = 0.5
# Where an event of a newer release waits a minute before it comes again.
LATER = DELAYS[-1]
# So long after it happened an event that is still newer than we are goes to the dead letters: no
# deployment takes longer.
LONGEST_DEPLOYMENT = timedelta(days=1)
# Properties of a message that its copy has too.
KEPT = ("message_id", "correlation_id", "timestamp", "type")

log = structlog.get_logger("innotter_stats.consumer")


class Delivery(NamedTuple):
    message: Message
    event: Event
    # About how many calls to DynamoDB it needs.
    calls: int


class Consumer:
    def __init__(self, config: settings.Settings, store: Store) -> None:
        self._config = config
        self._store = store
        self.pulse = Pulse()
        self.pulse.is_down("broker", True)
        self._stopping = False
        # In order of delivery, and not yet in a batch. At most `prefetch`.
        self._delivered: deque[Delivery] = deque()
        # Of a newer release, and still to be deferred.
        self._newer: deque[Message] = deque()

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        """Consumes until stop() is called, and connects again whenever the broker is gone. Ends
        the process where it refuses the password."""
        waits = delays(first=0.2, longest=5)
        while not self._stopping:
            connection = Connection(
                self._config.amqp_url,
                heartbeat=HEARTBEAT,
                connect_timeout=5,
                transport_options={"confirm_publish": True},
            )
            try:
                with connection:
                    connection.connect()
                    waits = delays(first=0.2, longest=5)
                    self.pulse.is_down("broker", False)
                    self._consume(connection)
            except AccessRefused as error:
                # Unlike a broker that is away, this one won't take the password later either.
                log.critical("broker_refuses", setting="AMQP_URL", reason=error.reply_text)
                raise SystemExit(1) from None
            except (*connection.connection_errors, *connection.channel_errors) as error:
                delay = next(waits)
                self.pulse.beat()
                self.pulse.is_down("broker", True)
                log.warning("broker_unavailable", error=repr(error), retry_in=round(delay, 2))
                time.sleep(delay)

    def _consume(self, connection: Connection) -> None:
        # What an earlier connection brought can no longer be acknowledged; it comes again.
        self._delivered.clear()
        self._newer.clear()
        with QueueConsumer(
            connection.channel(),
            queues=[Queue(STATS_QUEUE)],
            # The queue is declared in one place, deploy/rabbitmq/definitions.json.
            auto_declare=False,
            prefetch_count=self._config.consumer_prefetch,
            on_message=self._receive,
        ):
            log.info("consuming", queue=STATS_QUEUE)
            while not self._stopping:
                self._listen(connection, seconds=IDLE, enough=1)
                self._defer(connection)
                if self._delivered:
                    self._handle(connection, self._next_batch(connection))

    def _receive(self, message: Message) -> None:
        try:
            event = parse_event(message.body or b"")
        except NewerEvent as error:
            if datetime.now(UTC) - error.occurred_at < LONGEST_DEPLOYMENT:
                self._newer.append(message)
            else:
                _reject(message, str(error))
        except InvalidEvent as error:
            _reject(message, str(error))
        else:
            self._delivered.append(Delivery(message, event, calls_for(event)))

    def _defer(self, connection: Connection) -> None:
        """Gives events of a newer release back, for the consumer of that release to find. Each is
        acknowledged when the broker has confirmed its copy."""
        while self._newer:
            message = self._newer[0]
            properties: dict[str, Any] = {name: message.properties.get(name) for name in KEPT}
            connection.Producer().publish(
                message.body,
                exchange=Exchange(LATER, no_declare=True),
                routing_key=STATS_QUEUE,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                **properties,
            )
            message.ack()
            self._newer.popleft()
            EVENTS.labels("newer").inc()
            log.warning("newer_event", message_id=message.properties.get("message_id"))

    def _next_batch(self, connection: Connection) -> list[Delivery]:
        """As many as need no more calls together than a batch may make; at least one."""
        size = self._config.consumer_batch_size
        self._listen(connection, seconds=self._config.consumer_batch_wait, enough=size)
        batch = [self._delivered.popleft()]
        calls = batch[0].calls
        while self._delivered and (calls := calls + self._delivered[0].calls) <= size:
            batch.append(self._delivered.popleft())
        return batch

    def _listen(self, connection: Connection, *, seconds: float, enough: float) -> None:
        """Receives, heartbeats too, until `enough` messages wait or the time is over."""
        self.pulse.beat()
        until = time.monotonic() + seconds
        while len(self._delivered) < enough and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                connection.drain_events(timeout=min(left, IDLE))
            connection.heartbeat_check()
            self.pulse.beat()
            if self._stopping:
                return

    def _handle(self, connection: Connection, batch: list[Delivery]) -> None:
        started = time.monotonic()
        if not self._count(connection, [delivery.event for delivery in batch]):
            return
        # Deliveries are numbered in order, so that one answer covers the whole batch; what was
        # rejected or deferred has had its answer.
        self._defer(connection)
        batch[-1].message.ack(multiple=True)
        BATCH_SECONDS.observe(time.monotonic() - started)
        BATCH_EVENTS.observe(len(batch))
        log.info(
            "batch_counted",
            events=len(batch),
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    def _keep_alive(self, connection: Connection) -> None:
        """Reads what has come, and heartbeats: a batch may take longer than the broker waits."""
        with suppress(TimeoutError):
            connection.drain_events(timeout=0)
        connection.heartbeat_check()
        self.pulse.beat()

    def _count(self, connection: Connection, events: list[Event]) -> bool:
        """Tries until the events are counted; False if it was stopped before."""
        for delay in delays(first=0.2, longest=10):
            try:
                repeated = self._store.apply(events, lambda: self._keep_alive(connection))
                self.pulse.is_down("table", False)
                break
            except StoreUnavailable as error:
                self.pulse.is_down("table", True)
                log.warning("table_unavailable", error=str(error), retry_in=round(delay, 2))
            # Listening meanwhile keeps the connection alive; `prefetch` limits what comes.
            self._listen(connection, seconds=delay, enough=math.inf)
            if self._stopping:
                return False
        now = datetime.now(UTC)
        for event in events:
            EVENTS.labels("repeated" if event.id in repeated else "counted").inc()
            LAG.observe(max(0, (now - event.occurred_at).total_seconds()))
            log.info(
                "event_counted",
                event_id=str(event.id),
                type=event.type,
                request_id=event.request_id,
                repeated=event.id in repeated,
            )
        return True


def _reject(message: Message, reason: str) -> None:
    """To the dead-letter queue: its contents stay there, and out of the log."""
    log.warning("message_rejected", message_id=message.properties.get("message_id"), reason=reason)
    message.reject()
    EVENTS.labels("rejected").inc()


def consume(config: settings.Settings) -> None:
    """Until SIGTERM."""
    configure_logs(service="stats-consumer", style=config.log_style, level=config.log_level)
    try:
        consumer = Consumer(config, Store(create_client(), config.statistics_table))
        serve(config, consumer.pulse)
    # No region; a port that is taken.
    except (StoreUnavailable, OSError) as error:
        raise SystemExit(str(error)) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    consumer.run()
    log.info("stopped")
