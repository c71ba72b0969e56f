"""Celery's reader of queues, as the worker runs it."""

from typing import Any

import structlog
from celery.worker import consumer

log = structlog.get_logger("innotter.task")


class Consumer(consumer.Consumer):
    """Celery's, but for two things that it does by itself: it declares queues for its own delayed
    delivery, of which the broker's definitions know nothing, and it acknowledges what it can't
    read."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]
        default_steps = tuple(
            step
            for step in consumer.Consumer.Blueprint.default_steps
            if not step.endswith(":DelayedDelivery")
        )

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """To the dead-letter queue."""
        log.error("unreadable", reason=str(exc))
        message.reject()
