"""What runs: each role of the core on one page. `manage.py run` runs one, or several of them.

Everything that a role needs is imported by it alone, so that a process of one role is small.
Several are forked from a process that has imported all of it.
"""
# ruff: noqa: PLC0415

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

from django.conf import settings
from django.utils.module_loading import import_string

from innotter_contracts.events import HOUSEKEEPING_QUEUE, MAIL_QUEUE


def api(host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serves the API and the site."""
    from innotter.config.serving import serve

    serve(host, port)


def relay() -> None:
    """Publishes events from the outbox to RabbitMQ."""
    from innotter.common.metrics import Disk, serve_metrics
    from innotter.common.postgresql import connect_directly
    from innotter.events.metrics import OutboxFigures, QueueFigures
    from innotter.events.relay import run_relay

    # It listens.
    connect_directly()
    serve_metrics(OutboxFigures(), QueueFigures(settings.AMQP_URL), Disk())
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    reactions = import_string(settings.OUTBOX_REACTIONS)
    run_relay(amqp_url=settings.AMQP_URL, reactions=reactions, stop=stop)


def worker() -> None:
    """Sends mail."""
    from innotter.config.celery import work

    work(MAIL_QUEUE, threads=settings.WORKER_THREADS)


def housekeeper() -> None:
    """Does what the clock calls for. A worker of its own: mail never waits behind it."""
    from innotter.config.celery import work

    work(HOUSEKEEPING_QUEUE, threads=1)


def scheduler() -> None:
    """Is the clock. Of several, one calls for tasks, and the others wait to take its place."""
    from innotter.common.postgresql import connect_directly
    from innotter.config.celery import keep_time

    # It keeps a lock.
    connect_directly()
    keep_time()


ROLES: dict[str, Callable[[], None]] = {
    "api": api,
    "relay": relay,
    "worker": worker,
    "housekeeper": housekeeper,
    "scheduler": scheduler,
}


def import_all() -> None:
    """What the roles would import one by one, and what most of them do first: once, for all that
    are forked afterwards. No connection is left open."""
    import boto3
    import kombu.transport.pyamqp  # noqa: F401
    from botocore.exceptions import BotoCoreError
    from django.db import Error as DatabaseFailure
    from django.db import connection
    from django.urls import get_resolver

    import innotter.config.scheduler
    import innotter.config.serving
    import innotter.config.worker
    import innotter.events.metrics
    import innotter.events.relay  # noqa: F401
    from innotter.config.celery import app

    app.loader.import_default_modules()
    app.finalize()
    # Celery imports what they are when they are asked for.
    assert all((app.amqp, app.control, app.events, app.log))
    # Without a region there is no client; a role that needs one will say so.
    with suppress(BotoCoreError):
        for service in ("s3", "sesv2"):
            boto3.client(service)
    # All routes, with their views, and what those make when they are first asked.
    assert get_resolver().url_patterns
    _read_texts()
    # Who is away now is waited for by the roles.
    with suppress(DatabaseFailure), connection.cursor():
        pass
    connection.close()


def _read_texts() -> None:
    """Templates and translations."""
    from django.apps import apps
    from django.template.loader import get_template
    from django.utils.translation import gettext, override

    for app in ("web", "mail"):
        folder = Path(apps.get_app_config(app).path) / "templates"
        for file in folder.rglob("*.*"):
            get_template(str(file.relative_to(folder)))
    for language, _ in settings.LANGUAGES:
        with override(language):
            gettext("")
