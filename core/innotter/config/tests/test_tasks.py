"""Every task says by its base what becomes of it when it fails."""

from typing import Any

from innotter.common.celery import ClockTask, OwedTask
from innotter.config.celery import app
from innotter.config.schedule import EVERY


def tasks() -> dict[str, Any]:
    """All but Celery's own, which nobody sends."""
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_each_task_is_owed_or_the_clock_s() -> None:
    assert {name for name, task in tasks().items() if isinstance(task, ClockTask)} == set(EVERY)
    for name, task in tasks().items():
        assert isinstance(task, ClockTask) != isinstance(task, OwedTask), name


def test_each_is_acknowledged_late_and_none_by_its_failure() -> None:
    for name, task in tasks().items():
        assert task.acks_late, name
        assert task.reject_on_worker_lost, name
        assert not task.acks_on_failure, name
        assert not task.acks_on_timeout, name
