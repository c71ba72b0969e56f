"""The outcomes of a task: done, published anew, or a dead letter. OwedTask and ClockTask are the
bases that a task may name.

A task's message is acknowledged when what it asks for is done, or when the broker has confirmed
that it keeps the same task elsewhere; never before. A task may therefore run twice.
"""

from threading import Event
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from celery import Task
from celery.exceptions import Ignore, Reject
from django.utils import timezone
from kombu.exceptions import KombuError

from innotter.common.errors import ReadOnly
from innotter.common.metrics import TASK_SECONDS, TASKS
from innotter.common.outages import count_disk_full, is_passing
from innotter_contracts.backoff import delays
from innotter_contracts.events import DEAD_EXCHANGE, DELAYS

log = structlog.get_logger("innotter.task")

# As they are counted.
OUTCOMES = ("success", "deferred", "failure")
# Seconds that the broker may take to answer.
PATIENCE = 30
# Seconds between attempts to publish anew: one, two, four, up to this many, cut by chance.
LONGEST_WAIT = 30
# Characters of an error that a dead letter carries.
LONGEST_REASON = 500


# That the worker is being stopped.
stopping = Event()


class BaseTask(Task[..., Any]):
    """Runs under the id of the request that caused it, and leaves a line at each end.

    During maintenance none is begun, as if the database were away. A task that names neither
    OwedTask nor ClockTask as its base is a dead letter when it fails.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Its row is a model, and they are there only now.
        from innotter.common.maintenance import maintenance  # noqa: PLC0415

        headers = self.request.headers or {}
        with structlog.contextvars.bound_contextvars(request_id=headers.get("request_id")):
            log.info("started", task=self.name, task_id=self.request.id, **kwargs)
            try:
                if maintenance():
                    raise ReadOnly
                with TASK_SECONDS.labels(self.name).time():
                    result = super().__call__(*args, **kwargs)
            except Exception as error:
                if self.request.called_directly or self.request.is_eager:
                    raise
                self._report(error)
                self.resolve(error)
                # To Celery: acknowledge it, and that is all.
                raise Ignore from None
            log.info("done", task=self.name, task_id=self.request.id, result=result)
            TASKS.labels(self.name, "success").inc()
        return result

    def resolve(self, error: Exception) -> None:
        """Returns when the message of the task that has failed may be acknowledged."""
        raise error

    def _report(self, error: Exception) -> None:
        about = {"task": self.name, "task_id": self.request.id}
        count_disk_full(error)
        if is_passing(error):
            TASKS.labels(self.name, "deferred").inc()
            log.warning("deferred", **about, retries=self.request.retries, reason=reason_of(error))
        else:
            TASKS.labels(self.name, "failure").inc()
            log.error("failed", **about, reason=reason_of(error), exc_info=error)


class OwedTask(BaseTask):
    """Done sooner or later: what an event calls for, and nothing else would do."""

    def resolve(self, error: Exception) -> None:
        """Publishes the task anew: to a delay queue after a passing failure, the next time to one
        of a longer delay, and for ever; otherwise to the dead-letter queue, with the reason."""
        retries = self.request.retries
        if is_passing(error):
            self._publish(DELAYS[min(retries, len(DELAYS) - 1)], retries=retries + 1)
            return
        headers = self.request.headers or {}
        death = {
            "reason": reason_of(error),
            "died_at": timezone.now().isoformat(),
            "deaths": headers.get("deaths", 0) + 1,
        }
        self._publish(DEAD_EXCHANGE, retries=0, **death)

    def _publish(self, exchange: str, *, retries: int, **headers: Any) -> None:
        """Returns when the broker has confirmed it. For as long as it does not, the task's message
        stays unacknowledged; who is stopped meanwhile, killed or cut off leaves it to the next
        worker. Raises Reject where the worker is being stopped."""
        for delay in delays(first=1, longest=LONGEST_WAIT):
            try:
                publish(self, exchange, retries=retries, **headers)
                return
            except (AMQPError, KombuError, OSError) as error:
                log.warning(
                    "unacknowledged",
                    task=self.name,
                    task_id=self.request.id,
                    exchange=exchange,
                    reason=reason_of(error),
                )
            if stopping.wait(delay):
                raise Reject(reason="the worker is being stopped", requeue=True)


class ClockTask(BaseTask):
    """Called by the clock. One that fails is over: the next turn does what it has left."""

    def resolve(self, error: Exception) -> None:
        pass


def reason_of(error: Exception) -> str:
    """The error in one line, for logs and dead letters; at most LONGEST_REASON characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]


def publish(task: BaseTask, exchange: str, *, retries: int, **headers: Any) -> None:
    """The task that is running, with its id and arguments, to an exchange that leads it back to
    its queue. Returns when the broker has confirmed it; raises AMQPError, KombuError or OSError.

    By a connection of its own: one that was idle for long may be dead, and one on which a message
    was refused may still hold the confirm of that one.
    """
    request: Any = task.request
    options: dict[str, Any] = request.as_execution_options()
    options["headers"] = {**options["headers"], **headers}
    broker: Any = task.app.connection_for_write(
        connect_timeout=5, transport_options={"confirm_publish": True}
    )
    with broker:
        broker.connect()
        task.app.send_task(
            task.name,
            request.args,
            request.kwargs,
            connection=broker,
            exchange=exchange,
            # That of its queue, which it keeps all the way.
            routing_key=request.delivery_info["routing_key"],
            mandatory=True,
            retry=False,
            confirm_timeout=PATIENCE,
            **{**options, "retries": retries},
        )
