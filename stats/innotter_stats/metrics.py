"""What the two processes count and say of themselves, at a port that is not the public's.

Of one process: where several serve the API on one host, each needs a METRICS_PORT of its own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from innotter_stats.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

REQUESTS = Histogram(
    "innotter_stats_request_seconds",
    "Requests, by the route's pattern and never by the path that was asked for.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAILURES = Counter("innotter_stats_request_failures", "Requests that were answered 500 or above.")
# `counted`, `repeated`: it had been counted before, `newer`: it waits for a release that knows it,
# or `rejected`: it is no event.
EVENTS = Counter("innotter_stats_events", "Messages, by what became of them.", ["outcome"])
for outcome in ("counted", "repeated", "newer", "rejected"):
    EVENTS.labels(outcome)
LAG = Histogram(
    "innotter_stats_lag_seconds",
    "From the moment that an event happened until it is counted.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
BATCH_SECONDS = Histogram("innotter_stats_batch_seconds", "How long it took to count a batch.")
BATCH_EVENTS = Histogram(
    "innotter_stats_batch_events",
    "Events that were counted together.",
    buckets=(1, 5, 10, 50, 100, 250, 500, 1000),
)
DOWN = Gauge(
    "innotter_stats_down",
    "1 for a dependency that the consumer waits for: table or broker.",
    ["part"],
)

# Seconds. A batch whose every call to DynamoDB is as slow as it may be takes less.
STUCK_AFTER = 300
# Between two looks whether the server of metrics shall stop. It ends with its process.
IDLE = 3600


class Pulse:
    """Whether the consumer goes on, and what it is waiting for."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._down: set[str] = set()
        for part in ("broker", "table"):
            DOWN.labels(part)

    def beat(self) -> None:
        self._beat = time.monotonic()

    @property
    def is_stuck(self) -> bool:
        """Without a sign of life for so long that only a new start can help."""
        return time.monotonic() - self._beat > STUCK_AFTER

    @property
    def down(self) -> list[str]:
        return sorted(self._down)

    def is_down(self, part: str, down: bool) -> None:
        (self._down.add if down else self._down.discard)(part)
        DOWN.labels(part).set(down)


class Readiness(Collector):
    """Whether the API can serve, asked anew for each scrape."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "innotter_stats_ready", "1 while the API says that it can serve.", self._is_ready()
        )


def serve(
    config: Settings, pulse: Pulse | None = None, is_ready: Callable[[], bool] | None = None
) -> None:
    """/metrics from a thread of its own, until the process ends; nothing without METRICS_PORT.

    With the pulse of the consumer, its /health/live and /health/ready, too; `is_ready` is the
    API's.
    """
    if config.metrics_port is not None:
        if is_ready:
            REGISTRY.register(Readiness(is_ready))
        server = make_server(
            config.metrics_host,
            config.metrics_port,
            _MetricsApp(pulse),
            ThreadingWSGIServer,
            _Silent,
        )
        threading.Thread(target=server.serve_forever, args=[IDLE], daemon=True).start()


class _MetricsApp:
    def __init__(self, pulse: Pulse | None) -> None:
        self._pulse = pulse
        self._metrics = make_wsgi_app()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"], self._pulse:
            case "/health/live", Pulse(is_stuck=stuck):
                return _health(start, ["consumer"] if stuck else [])
            case "/health/ready", Pulse(down=down):
                return _health(start, down)
            case _:
                page: Iterable[bytes] = self._metrics(environ, start)
                return page


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _health(start: "StartResponse", down: list[str]) -> Iterable[bytes]:
    start("503 Service Unavailable" if down else "200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"status": "down", "down": down} if down else {"status": "ok"}).encode()]
