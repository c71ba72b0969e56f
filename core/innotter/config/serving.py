"""The server of the API and the site: one process that starts the others, and serves their
metrics. SIGHUP replaces its processes one by one."""

import multiprocessing

from django.conf import settings
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from innotter.common.metrics import Readiness, serve_metrics
from innotter.config import asgi
from innotter.statistics.metrics import InstanceFigures
from innotter_contracts.sharing import share_memory

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


def serve(host: str, port: int) -> None:
    """Until SIGTERM."""
    # Its processes are forks, which share all that is imported by now.
    multiprocessing.set_start_method("fork", force=True)
    share_memory()
    asked = "127.0.0.1" if host == EVERYWHERE else host
    # Those of all processes: this one counts nothing itself.
    serve_metrics(Readiness(asked, port), InstanceFigures())
    Server(
        f"{asgi.__name__}:application",
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.API_PROCESSES,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MS, max_buffer_size=HEADER_BYTES),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_BOUND,
        log_level=LogLevels.warning,
        # Its lines go where all others go.
        log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {}},
    ).serve()
