"""What happens by the clock: each is an existing task, on the queue of housekeeping."""

import socket
from datetime import timedelta

from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import schedule

from innotter.config.celery import app
from innotter.config.schedule import EVERY
from innotter.config.scheduler import Scheduler
from innotter.conftest import Log
from innotter_contracts.events import HOUSEKEEPING_QUEUE, MAIL_QUEUE


def test_each_name_is_a_task_of_ours_and_comes_within_the_hour() -> None:
    app.loader.import_default_modules()
    assert set(EVERY) <= set(app.tasks)
    assert all(timedelta() < interval <= timedelta(hours=1) for interval in EVERY.values())


def test_what_waits_past_its_next_turn_is_dropped() -> None:
    for name, interval in EVERY.items():
        assert app.conf.beat_schedule[name]["options"]["expires"] == interval.total_seconds()


def test_mail_has_a_queue_of_its_own_and_everything_else_is_housekeeping() -> None:
    def queue(task: str) -> str:
        name: str = app.amqp.router.route({}, task)["queue"].name
        return name

    assert queue("innotter.mail.notify_followers") == MAIL_QUEUE
    assert queue("innotter.mail.prune_deliveries") == HOUSEKEEPING_QUEUE
    assert queue("innotter.events.prune_outbox") == HOUSEKEEPING_QUEUE
    assert queue("innotter.another.task") == HOUSEKEEPING_QUEUE


def test_a_turn_that_cannot_be_sent_is_one_line_in_the_log(log: Log) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        broker = f"amqp://127.0.0.1:{nobody.getsockname()[1]}//"
        lonely = Celery(broker=broker, set_as_current=False)
        every = ScheduleEntry("a turn", "no.such.task", schedule=schedule(1), app=lonely)
        with lonely.producer_pool.acquire() as producer:
            Scheduler(lonely, schedule={}, lazy=True).apply_entry(every, producer)
    [line] = log()
    assert (line["event"], line["level"], line["task"]) == ("unsent", "warning", "no.such.task")
    assert "exception" not in line
