"""Celery's clock, as it runs here: `celery beat --scheduler innotter.config.scheduler:Scheduler`.

It keeps its state in memory and writes no file.
"""

import time
from typing import Any

import structlog
from celery import beat
from prometheus_client import Counter, Gauge

from innotter.common.celery import reason_of
from innotter.config.schedule import EVERY

SENT = Counter("innotter_scheduled", "Tasks that the clock has called for.", ["task"])
for task in EVERY:
    SENT.labels(task)
IDLE = Gauge("innotter_scheduler_idle_seconds", "Since the clock has last called for a task.")

log = structlog.get_logger("innotter.task")


class Scheduler(beat.Scheduler):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent_at = time.monotonic()
        IDLE.set_function(lambda: time.monotonic() - self._sent_at)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """One that can't be sent leaves one line in the log, where Celery leaves two tracebacks.
        The next turn is another."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
            SENT.labels(entry.task).inc()
            self._sent_at = time.monotonic()
        except beat.SchedulingError as error:
            log.warning("unsent", task=entry.task, reason=reason_of(error))
