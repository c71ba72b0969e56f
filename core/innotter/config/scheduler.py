"""Celery's clock, as it runs here: `celery beat --scheduler innotter.config.scheduler:Scheduler`.

It keeps its state in memory and writes no file.
"""

from typing import Any

import structlog
from celery import beat

from innotter.common.celery import reason_of

log = structlog.get_logger("innotter.task")


class Scheduler(beat.Scheduler):
    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """One that can't be sent leaves one line in the log, where Celery leaves two tracebacks.
        The next turn is another."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except beat.SchedulingError as error:
            log.warning("unsent", task=entry.task, reason=reason_of(error))
