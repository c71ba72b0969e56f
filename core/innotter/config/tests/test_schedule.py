"""What happens by the clock: each is an existing task, called for where it has something to do."""

import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock, patch

from celery import Celery, beat
from celery.beat import ScheduleEntry
from celery.schedules import schedule
from django.db import OperationalError
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.models import AccountMail, User
from innotter.config.celery import app
from innotter.config.schedule import EVERY
from innotter.config.scheduler import HAS_WORK, Scheduler
from innotter.conftest import Log
from innotter.exports.models import Export
from innotter.mail.models import Delivery
from innotter.pages.models import Page
from innotter.posts.services import create_post
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


def test_a_turn_that_cannot_be_sent_is_one_line_in_the_log(db: None, log: Log) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        broker = f"amqp://127.0.0.1:{nobody.getsockname()[1]}//"
        lonely = Celery(broker=broker, set_as_current=False)
        every = ScheduleEntry("a turn", "no.such.task", schedule=schedule(1), app=lonely)
        clock = Scheduler(lonely, schedule={}, lazy=True)
        with closing(clock), lonely.producer_pool.acquire() as producer:
            clock.apply_entry(every, producer)
    _, line = log()
    assert (line["event"], line["level"], line["task"]) == ("unsent", "warning", "no.such.task")
    assert "exception" not in line


def test_nobody_looks_at_the_clock_again_and_again_until_it_is_time(db: None) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    every = schedule(timedelta(seconds=3), nowfun=lambda: now, app=app)  # type: ignore[arg-type]
    turn = ScheduleEntry("turn", "no.such.task", last_run_at=now, schedule=every, app=app)  # type: ignore[arg-type]
    with closing(Scheduler(app, schedule={"turn": turn}, lazy=True)) as clock:
        vars(clock)["producer"] = None
        with patch.object(clock, "apply_entry") as call:
            for _ in range(3):
                now += timedelta(seconds=clock.tick())
    assert call.called


def is_called_for(task: str) -> bool:
    entry = ScheduleEntry(task, task, schedule=schedule(3), app=app)  # type: ignore[arg-type]
    clock = Scheduler(app, schedule={}, lazy=True)
    with closing(clock), patch.object(beat.Scheduler, "apply_async") as send:
        clock.apply_entry(entry)
    return send.called


def test_where_there_is_nothing_to_do_nobody_is_called_for(db: None) -> None:
    assert HAS_WORK.keys() <= EVERY.keys()
    assert {task for task in EVERY if not is_called_for(task)} == HAS_WORK.keys()


def test_sending_is_called_for_while_mail_may_leave(db: None) -> None:
    def is_sending() -> bool:
        return is_called_for("innotter.mail.send_due")

    owe_mail(kind=AccountMail.Kind.PASSWORD_RESET, user=None, address="bob@example.com")
    assert is_sending()
    AccountMail.objects.update(claimed_until=later())
    assert not is_sending()
    AccountMail.objects.update(claimed_until=earlier())
    assert is_sending()
    AccountMail.objects.update(due_at=later())
    assert not is_sending()


def test_sending_is_called_for_while_a_delivery_is_due_or_its_worker_has_died(
    page: Page, bob: User
) -> None:
    def is_sending(**columns: object) -> bool:
        Delivery.objects.update(**columns)
        return is_called_for("innotter.mail.send_due")

    post = create_post(actor=page.owner, page=page, content="Fog.")
    Delivery.objects.create(page=page, post=post, recipient=bob)
    assert is_sending()
    assert not is_sending(due_at=later())
    assert not is_sending(due_at=earlier(), state=Delivery.State.SENDING, claimed_until=later())
    assert is_sending(claimed_until=earlier())
    assert not is_sending(state=Delivery.State.UNKNOWN)


def test_an_archive_is_called_for_until_somebody_makes_it(ann: User) -> None:
    def is_making(**columns: object) -> bool:
        Export.objects.update(**columns)
        return is_called_for("innotter.exports.make_exports")

    Export.objects.create(user=ann)
    assert is_making()
    assert not is_making(claimed_until=later())
    assert is_making(claimed_until=earlier())
    assert not is_making(state=Export.State.READY)


def test_where_the_database_is_away_the_task_shall_see(db: None) -> None:
    with patch.dict(HAS_WORK, {"innotter.mail.send_due": Mock(side_effect=OperationalError)}):
        assert is_called_for("innotter.mail.send_due")


def later() -> datetime:
    return timezone.now() + timedelta(hours=1)


def earlier() -> datetime:
    return timezone.now() - timedelta(seconds=1)
