import multiprocessing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from innotter.common.metrics import Readiness, serve_metrics
from innotter.statistics.metrics import InstanceFigures

EVERYWHERE = "0.0.0.0"  # noqa: S104 (it is compared with)
# Milliseconds for a request's headers, the time between two requests of a connection included.
# Longer than the gateway keeps one, so that no request meets one that is just being closed.
HEADERS_MS = 60_000
# Of a request's line and headers.
HEADER_BYTES = 64 * 1024
# Connections of a process, idle ones included.
CONNECTIONS = 4096
# Seconds that a request may still take after SIGTERM.
STOP_BOUND = 25


class Command(BaseCommand):
    help = "Serves the API until SIGTERM; SIGHUP replaces its processes one by one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        host = "127.0.0.1" if options["host"] == EVERYWHERE else options["host"]
        # Those of all processes: this one counts nothing itself.
        serve_metrics(Readiness(host, options["port"]), InstanceFigures())
        # Python 3.14 and later do it so anyway; a fork would copy the threads' locks.
        multiprocessing.set_start_method("spawn", force=True)
        Server(
            "innotter.config.asgi:application",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            workers=settings.API_PROCESSES,
            backlog=CONNECTIONS,
            backpressure=CONNECTIONS,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEADERS_MS, max_buffer_size=HEADER_BYTES
            ),
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_BOUND,
            log_level=LogLevels.warning,
            # Its lines go where all others go.
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {}},
        ).serve()
