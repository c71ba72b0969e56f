"""Which failures of a task pass by themselves, judged by PostgreSQL's own errors."""

import pytest
from django.db import Error, InternalError, connection, transaction

from innotter.accounts.models import User
from innotter.common.celery import BaseTask
from innotter.common.errors import NotFound, Unavailable
from innotter.common.outages import is_passing
from innotter.conftest import new_user
from innotter.mail.tasks import notify_followers, send_due


def error_of(*statements: str) -> Exception:
    """What the last of the statements raises, in a transaction of their own."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except Error as error:
        return error
    raise AssertionError("nothing was wrong")


def test_a_server_that_has_become_a_replica_passes(ann: User) -> None:
    error = error_of("SET TRANSACTION READ ONLY", "DELETE FROM accounts_session")
    assert isinstance(error, InternalError)
    assert is_passing(error)


def test_a_lock_that_is_not_to_be_had_in_time_passes(ann: User) -> None:
    assert is_passing(error_of("SET LOCAL statement_timeout = 1", "SELECT pg_sleep(60)"))
    for state in ("lock_not_available", "deadlock_detected", "serialization_failure"):
        assert is_passing(error_of(f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$"))


def test_a_lost_connection_passes(ann: User) -> None:
    # Not the test's own, which is in a transaction.
    other = connection.copy()
    with pytest.raises(Exception) as raised, other.cursor() as cursor:  # noqa: PT011
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    other.close()
    assert is_passing(raised.value)


def test_what_is_away_passes_and_what_is_wrong_does_not(ann: User) -> None:
    assert is_passing(Unavailable())
    assert not is_passing(NotFound())
    assert not is_passing(KeyError("id"))
    assert not is_passing(error_of("SELECT no_such_column FROM accounts_user"))
    assert not is_passing(error_of("SELECT 1 / 0"))
    # Django takes it for an OperationalError, and it is the same however often it is tried.
    limit = "DO $$ BEGIN RAISE 'x' USING ERRCODE = 'program_limit_exceeded'; END $$"
    assert not is_passing(error_of(limit))
    with pytest.raises(Exception) as raised, transaction.atomic():  # noqa: PT011
        new_user("ann")
    assert not is_passing(raised.value)


@pytest.mark.parametrize("task", [notify_followers, send_due])
def test_a_task_that_no_worker_runs_raises_its_error(task: BaseTask) -> None:
    for run in (task, lambda **kwargs: task.apply(kwargs=kwargs, throw=True)):
        with pytest.raises(TypeError):
            run(no_such="argument")
