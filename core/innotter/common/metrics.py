"""What the processes of the core count, in the form that Prometheus reads.

An app's own counters stand in its `metrics.py`. Each process serves all that it counts at
METRICS_PORT, which is not a port of the public. Where several processes share that port
(the API's, Celery's), PROMETHEUS_MULTIPROC_DIR names the folder in which they add up; it has to
be empty when they start.
"""

import os

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Histogram(
    "innotter_request_seconds",
    "Requests, by the route's pattern and never by the path that was asked for.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
THROTTLED = Counter("innotter_throttled", "Calls refused because of a limit.", ["limit"])
TASKS = Counter("innotter_tasks", "Tasks that have ended.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    "innotter_task_seconds",
    "How long tasks ran.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300),
)


def registry() -> CollectorRegistry:
    """Of this process, or of all that share PROMETHEUS_MULTIPROC_DIR."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def serve_metrics() -> None:
    """From a thread of its own, until the process ends. Without METRICS_PORT: nowhere."""
    if settings.METRICS_PORT:
        start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, registry())
