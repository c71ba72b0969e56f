"""Log lines of the same form from every process, and the request id that ties them together."""

import json
import logging
import re
import sys
from functools import lru_cache
from typing import Any, Literal

import structlog

from innotter_contracts.ids import new_id

REQUEST_ID_HEADER = "X-Request-ID"
# Libraries whose lines below a warning repeat ours, or say nothing.
CHATTY = ("amqp", "botocore", "celery.app.trace", "celery.worker.strategy", "kombu")
# What a line never shows: values under such a name, and such pieces of any text.
_SECRET_NAMES = re.compile(
    r"password|secret|authorization|cookie|credential|(^|_)(token|refresh|access|key)$", re.I
)
_SECRET_TEXTS = [
    (re.compile(pattern, re.I), shown)
    for pattern, shown in (
        (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", "[secret]"),
        (r"\b(bearer|basic)\s+[\w.~+/-]+=*", r"\1 [secret]"),
        # The password in a URL.
        (r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s/@\"']+@", r"\1[secret]@"),
        (r"(/unsubscribe/)[\w.:~-]+", r"\1[secret]"),
        # As JSON, and as Python shows a call or a dict; the quotes may be escaped.
        (
            r"""((?:password|secret|token|authorization|cookie|refresh|access)\\?["']?\s*[:=]\s*\\?["'])[^"'\\]+""",
            r"\1[secret]",
        ),
    )
]
# Each of those has one of these in it: most lines are looked at no further.
_HINTS_AT_SECRETS = (
    *("eyj", "bearer", "basic", "://", "/unsubscribe/"),
    *("password", "secret", "token", "authorization", "cookie", "refresh", "access"),
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def configure_logs(*, service: str, style: Literal["json", "console"], level: str = "INFO") -> None:
    """Every line of this process to standard output: one JSON object, or columns for people.

    Lines of libraries that use `logging` are formatted alike.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        _without_secret_values,
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, _json]
        if style == "json"
        # Plain, because the pretty one prints the values of variables, passwords among them.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    _processors[:] = [_if_wanted, *shared, *render, _without_secret_texts]
    structlog.configure(
        processors=_processors,
        logger_factory=_Output,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *render,
                _without_secret_texts,
            ],
        )
    )
    # No line says from where in the code it comes, nor from which thread: nobody looks for it
    # (Python's HOWTO of logging, "Optimization").
    logging._srcfile = None
    for part in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, part, False)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


# Of our own lines. A logger keeps the list that it has first met: it is filled, and never another.
_processors: list[structlog.typing.Processor] = []


class _Output:
    """Our own lines go to the streams of `logging`, by their locks, without a record for each. As
    there, that one can't be written is no error of who says it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def info(self, line: str) -> None:
        for handler in logging.root.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.acquire()
                try:
                    handler.stream.write(f"{line}\n")
                    handler.flush()
                # It is full, or closed.
                except (OSError, ValueError):
                    pass
                finally:
                    handler.release()

    debug = warning = error = critical = info


_LEVELS = logging.getLevelNamesMapping()


def _if_wanted(_: Any, level: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Asked for each line: a logger keeps the level that it has first met."""
    if _LEVELS[level.upper()] < logging.root.level:
        raise structlog.DropEvent
    return line


# json.dumps makes another for each line.
_encode = json.JSONEncoder(default=repr).encode


def _json(_: Any, __: str, line: structlog.typing.EventDict) -> str:
    return _encode(line)


def request_id_from(header: str | None) -> str:
    """The id that the caller sent, if it has the form of one; otherwise a new one."""
    if header and _REQUEST_ID.fullmatch(header):
        return header
    return str(new_id())


def current_request_id() -> str | None:
    """The id that this thread or task works for, if any."""
    return structlog.contextvars.get_contextvars().get("request_id")


def _without_secret_values(
    _: Any, __: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {
        name: "[secret]" if value and _is_secret(name) else value for name, value in line.items()
    }


@lru_cache
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _without_secret_texts(_: Any, __: str, line: Any) -> str:
    """The line as it is about to be written, traces and messages of libraries included."""
    text = str(line)
    folded = text.casefold()
    if not any(hint in folded for hint in _HINTS_AT_SECRETS):
        return text
    for pattern, shown in _SECRET_TEXTS:
        text = pattern.sub(shown, text)
    return text


def _named(service: str) -> structlog.typing.Processor:
    def add_service(
        _: Any, __: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        line["service"] = service
        return line

    return add_service
