"""A worker's tasks for test_tasks.py, beside those of the product: `celery -A tests.broken_tasks`.

FOLDER names the folder in which the test and the worker meet.
"""

import os
import time
from pathlib import Path
from typing import Any

from celery import shared_task
from django.db import connection

from innotter.common import celery
from innotter.common.celery import OwedTask
from innotter.config.celery import app

__all__ = ["app"]

FOLDER = Path(os.environ["FOLDER"])
# Seconds. The broker gives up on a connection that says nothing for two of them.
app.conf.broker_heartbeat = 2


def wait_for(name: str) -> None:
    """Says that the worker has come to this point, and waits until the test lets it go on."""
    (FOLDER / f"{name}.reached").touch()
    while (FOLDER / name).exists():
        time.sleep(0.01)


@shared_task(name="innotter.mail.test.write", base=OwedTask)
def write(*, line: str) -> None:
    """Needs the database, and leaves a trace each time that it is done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with (FOLDER / "done").open("a") as done:
        done.write(f"{line}\n")


@shared_task(name="innotter.mail.test.linger", base=OwedTask)
def linger(*, line: str) -> None:
    """Takes as long as the test wants."""
    wait_for("linger")
    write.run(line=line)


@shared_task(name="innotter.mail.test.stumble", base=OwedTask)
def stumble(*, line: str) -> None:
    """A bug, until the file `mended` is there."""
    if not (FOLDER / "mended").exists():
        raise LookupError(f"no {line}")
    write.run(line=line)


publish = celery.publish


def slow_publish(task: celery.BaseTask, *args: Any, **options: Any) -> None:
    wait_for("before")
    publish(task, *args, **options)
    wait_for("after")


celery.publish = slow_publish
