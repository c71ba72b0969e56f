"""What the processes of the core count, in the form that Prometheus reads.

An app's own counters stand in its `metrics.py`. Each process serves all that it counts at
METRICS_PORT, which is not a port of the public. Where several processes share that port
(the API's, Celery's), PROMETHEUS_MULTIPROC_DIR names the folder in which they add up. It has to
be empty when they start, and in memory: it is mapped, and on a full disk a write to it is SIGBUS.

A counter is there from the start, at 0, for each label that an alarm reads: what is first seen at
500 has not grown.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    make_wsgi_app,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

REQUESTS = Histogram(
    "innotter_request_seconds",
    "Requests, by the route's pattern and never by the path that was asked for.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAILURES = Counter("innotter_request_failures", "Requests that were answered 500 or above.")
THROTTLED = Counter("innotter_throttled", "Calls refused because of a limit.", ["limit"])
for limit in settings.LIMITS:
    THROTTLED.labels(limit)
DISK_FULL = Counter(
    "innotter_database_disk_full", "Statements that PostgreSQL has no space left for."
)
READS = Counter(
    "innotter_reads", "Requests that read and could be answered by a replica.", ["answered_by"]
)
REPLICA_LAG = Gauge(
    "innotter_replica_lag_seconds",
    "How far a replica is behind; +Inf where it does not answer.",
    ["replica"],
    multiprocess_mode="mostrecent",
)
UNKNOWN_OUTCOMES = Counter(
    "innotter_database_unknown_outcomes",
    "Commits that the database may have kept, or lost with a primary that is gone.",
)
TASKS = Counter("innotter_tasks", "Tasks that have ended.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    "innotter_task_seconds",
    "How long tasks ran.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300),
)

# Seconds that the API may take to say whether it is ready.
PATIENCE = 2
# Seconds between two looks whether the server of metrics shall stop. It ends with its process.
IDLE = 3600


class Readiness(Collector):
    """Whether the API that listens at `host` and `port` answers, and can serve. It is asked anew
    for each scrape, over HTTP: that its first process runs says nothing of the others."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "innotter_core_ready", "1 while the API answers that it can serve.", self._is_ready()
        )

    def _is_ready(self) -> bool:
        asked = HTTPConnection(self._host, self._port, timeout=PATIENCE)
        try:
            # By the name that is allowed in any case.
            host = {"Host": urlsplit(settings.CORE_URL).netloc}
            asked.request("GET", "/health/ready", headers=host)
            return asked.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            asked.close()


class Disk(Collector):
    """Of the disk on which this process runs: where everything runs on one machine, that of the
    database and the broker too."""

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        disk = shutil.disk_usage(Path.cwd())
        yield GaugeMetricFamily("innotter_disk_bytes", "The size of the disk.", disk.total)
        yield GaugeMetricFamily("innotter_disk_free_bytes", "What is free of it.", disk.free)


def registry() -> CollectorRegistry:
    """Of this process, or of all that share PROMETHEUS_MULTIPROC_DIR."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def count_as(number: int) -> None:
    """In a process that was forked to be the role of that number: it counts for itself, from zero,
    and serves that at a port of its own, so many after METRICS_PORT."""
    if settings.METRICS_PORT:
        settings.METRICS_PORT += number
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        own = Path(folder) / str(number)
        # Of the one that was there before.
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(own)
        # A process opens files of its own when it counts for the first time.
        FAILURES.inc(0)


def serve_metrics(*figures: Collector) -> None:
    """From a thread of its own, until the process ends; without METRICS_PORT nowhere. `figures`
    are looked at for each scrape, beside what is counted."""
    if settings.METRICS_PORT:
        shown = registry()
        for each in figures:
            shown.register(each)
        server = make_server(
            settings.METRICS_HOST, settings.METRICS_PORT, _app(shown), ThreadingWSGIServer, _Silent
        )
        Thread(target=server.serve_forever, args=[IDLE], daemon=True).start()


def _app(shown: CollectorRegistry) -> Callable[..., Any]:
    """/metrics. No process is forked while this is being answered: it would have the locks that
    are held for it, and nobody who releases them."""
    answer, answering = make_wsgi_app(shown), Lock()
    os.register_at_fork(
        before=answering.acquire,
        after_in_parent=answering.release,
        after_in_child=answering.release,
    )

    def app(environ: Any, start: Any) -> Any:
        with answering:
            return answer(environ, start)

    return app


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
