"""Celery's reader of queues, as the worker runs it."""

from typing import Any

import structlog
from celery.worker import consumer

from innotter.common.outages import end_if_refused

log = structlog.get_logger("innotter.task")


class Consumer(consumer.Consumer):
    """Celery's, but for three things that it does by itself: it declares queues for its own delayed
    delivery, of which the broker's definitions know nothing, it acknowledges what it can't read,
    and it goes on asking a broker that refuses its password."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]
        default_steps = tuple(
            step
            for step in consumer.Consumer.Blueprint.default_steps
            if not step.endswith(":DelayedDelivery")
        )

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        end_if_refused(exc)
        super().on_connection_error_before_connected(exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """To the dead-letter queue."""
        log.error("unreadable", reason=str(exc))
        message.reject()
