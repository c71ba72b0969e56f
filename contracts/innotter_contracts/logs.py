"""Log lines of the same form from every process, and the request id that ties them together."""

import logging
import re
import sys
from typing import Any, Literal

import structlog

from innotter_contracts.ids import new_id

REQUEST_ID_HEADER = "X-Request-ID"
# Libraries whose lines below a warning repeat ours, or tell nothing.
CHATTY = ("amqp", "botocore", "celery.app.trace", "celery.worker.strategy", "kombu")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def configure_logs(*, service: str, style: Literal["json", "console"], level: str = "INFO") -> None:
    """Every line of this process to standard output: one JSON object, or columns for people.

    Lines of libraries that use `logging` take the same road.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        # Plain, because the pretty one prints the values of variables, passwords among them.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


def request_id_from(header: str | None) -> str:
    """The id that the caller sent, if it has the form of one; otherwise a new one."""
    if header and _REQUEST_ID.fullmatch(header):
        return header
    return str(new_id())


def current_request_id() -> str | None:
    """The id that this thread or task works for, if any."""
    return structlog.contextvars.get_contextvars().get("request_id")


def _named(service: str) -> structlog.typing.Processor:
    def add_service(
        _: Any, __: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        line["service"] = service
        return line

    return add_service
