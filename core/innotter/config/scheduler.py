"""Celery's clock, as it runs here.

It keeps its state in memory and writes no file. Of all that run, the one that holds the lease calls
for tasks; the others wait to take it over.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from amqp.exceptions import AccessRefused
from celery import beat
from celery.signals import beat_init
from django.db import Error as DatabaseFailure
from django.db import connection
from django.utils import timezone
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from innotter.common.celery import reason_of
from innotter.common.metrics import serve_metrics
from innotter.common.outages import end_if_refused
from innotter.common.postgresql.lease import Lease
from innotter.config.schedule import EVERY
from innotter.exports.models import Export
from innotter.mail.selectors import is_mail_due

# These come often, and mostly there is nothing to do: the clock calls for them only where there is.
HAS_WORK: dict[str, Callable[[], bool]] = {
    "innotter.mail.send_due": is_mail_due,
    "innotter.exports.make_exports": lambda: Export.unclaimed(timezone.now()).exists(),
}

# The lease's number among the locks of the database.
CLOCK = 157
# Seconds after which one is given up that doesn't ask for it: the tasks come more often.
LEASE_SECONDS = 20
# Seconds until who hasn't got it tries again.
TRY_EVERY = 5

SENT = Counter("innotter_scheduled", "Tasks that the clock has called for.", ["task"])
for task in EVERY:
    SENT.labels(task)

log = structlog.get_logger("innotter.task")


class Idleness(Collector):
    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "innotter_scheduler_idle_seconds",
            "Since the clock has last called for a task.",
            time.monotonic() - self._scheduler.sent_at,
        )


class Scheduler(beat.Scheduler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sent_at = time.monotonic()
        self._lease = Lease(CLOCK, seconds=LEASE_SECONDS)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Who takes over finds everything due that has not run for its interval."""
        if not self._lease.is_held and not self._lease.hold():
            return TRY_EVERY
        return super().tick(*args, **kwargs)

    def adjust(self, n: Any, drift: float = 0) -> Any:
        """Celery's wakes ten milliseconds early, and asks without a pause until they are over: most
        of what a clock without work took."""
        return super().adjust(n, drift)

    def close(self) -> None:
        super().close()
        self._lease.release()

    def _ensure_connected(self) -> Any:
        try:
            return super()._ensure_connected()  # type: ignore[misc] # not in the stubs
        except AccessRefused as error:
            _end_if_refused(error)
            raise

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """One that can't be sent leaves one line in the log, where Celery leaves two tracebacks.
        The next turn is another."""
        if not self._lease.hold() or not _has_work(entry.task):
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
            SENT.labels(entry.task).inc()
            self.sent_at = time.monotonic()
        except beat.SchedulingError as error:
            _end_if_refused(error.__context__ or error)
            log.warning("unsent", task=entry.task, reason=reason_of(error))


def _has_work(task: str) -> bool:
    """Also where nobody can say so: the task will see."""
    try:
        return task not in HAS_WORK or HAS_WORK[task]()
    except DatabaseFailure:
        connection.close()
        return True


def _end_if_refused(error: BaseException) -> None:
    """Celery's clock takes SystemExit for a wish, and would end as if all were well."""
    try:
        end_if_refused(error)
    except SystemExit:
        os._exit(1)


@beat_init.connect
def _begin(sender: Any, **_: Any) -> None:
    serve_metrics(Idleness(sender.scheduler))
    # Who waits for the lease is told at once, too, that the broker refuses it.
    sender.scheduler._ensure_connected()
    sender.scheduler.close()
