"""The Celery app: one queue a purpose, declared by the broker's definitions and never from here."""

import os
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import (
    before_task_publish,
    setup_logging,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings
from kombu import Exchange, Queue

from innotter.common.celery import OUTCOMES, BaseTask, stopping
from innotter.common.metrics import TASKS, serve_metrics
from innotter.config.schedule import EVERY
from innotter_contracts.events import HOUSEKEEPING_QUEUE, MAIL_QUEUE


def _queue(name: str) -> Queue:
    return Queue(
        name,
        Exchange("celery", type="topic", no_declare=True),
        routing_key=name,
        # Celery looks here to learn that global QoS is not to be asked for.
        queue_arguments={"x-queue-type": "quorum"},
        no_declare=True,
    )


# In our images nobody is root; a developer who is knows it.
warnings.simplefilter("ignore", SecurityWarning)
# Of Django's system: they would import all routes, of which no task knows.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")
app = Celery("innotter", task_cls=BaseTask)
app.conf.update(
    broker_url=settings.AMQP_URL,
    broker_connection_retry_on_startup=True,
    # For ever: what is owed is delivered when the broker returns.
    broker_connection_max_retries=None,
    # The broker closes the channel of a task that takes longer than its consumer timeout, and
    # delivers the task again; the worker would otherwise end.
    broker_channel_error_retry=True,
    task_queues=[_queue(MAIL_QUEUE), _queue(HOUSEKEEPING_QUEUE)],
    task_create_missing_queues=False,
    task_default_queue=HOUSEKEEPING_QUEUE,
    task_default_exchange="celery",
    task_default_exchange_type="topic",
    task_default_routing_key=HOUSEKEEPING_QUEUE,
    task_routes={
        "innotter.mail.prune_deliveries": {"queue": HOUSEKEEPING_QUEUE},
        "innotter.mail.*": {"queue": MAIL_QUEUE},
    },
    beat_schedule={
        # What waits until its next turn is not worth doing any more: that turn does it.
        name: {"task": name, "schedule": interval, "options": {"expires": interval.total_seconds()}}
        for name, interval in EVERY.items()
    },
    task_ignore_result=True,
    # A task that dies with its worker is delivered again: every task may run twice.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # What fails outside of the task's own code, before or after it, is a dead letter.
    task_acks_on_failure_or_timeout=False,
    # A worker holds no more than it works at: its death counts as a delivery of what it holds.
    worker_prefetch_multiplier=1,
    worker_consumer="innotter.config.worker:Consumer",
    # Threads, which share what a process has imported. The loop that keeps the connection to the
    # broker alive runs on while they work.
    worker_pool="threads",
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)
app.autodiscover_tasks()


@before_task_publish.connect
def _leave_expiry_to_the_worker(properties: dict[str, Any], **_: Any) -> None:
    """The worker passes over what has expired. The broker would make a dead letter of it."""
    properties.pop("expiration", None)


@setup_logging.connect
def leave_logging_alone(**_: Any) -> None:
    """Celery sets up nothing where somebody listens here: the settings have done it."""


@worker_ready.connect
def _serve_metrics_of_worker(**_: Any) -> None:
    for name in filter(is_ours, app.tasks):
        for outcome in OUTCOMES:
            TASKS.labels(name, outcome)
    serve_metrics()


def is_ours(task: str) -> bool:
    """Celery brings some along."""
    return task.startswith("innotter.")


def work(queue: str, *, threads: int) -> None:
    """Does what waits in the queue, so many tasks at a time, until SIGTERM. Raises SystemExit."""
    # Mingle and gossip are talk between workers, which have nothing to say to each other.
    worker = app.Worker(
        queues=[queue], concurrency=threads, quiet=True, without_mingle=True, without_gossip=True
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def keep_time() -> None:
    """Calls for what is due, until SIGTERM."""
    app.Beat(scheduler_cls="innotter.config.scheduler:Scheduler", quiet=True).run()


@worker_shutting_down.connect
def _tell_the_pool(**_: Any) -> None:
    stopping.set()
