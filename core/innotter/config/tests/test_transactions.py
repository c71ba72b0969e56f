"""Whatever a call writes, it writes in a transaction: in which its session counts it, so that no
late replica shows the caller what was there before."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from dev.assertions import assert_none
from innotter.config.tests import test_permissions
from innotter.config.tests.test_permissions import cast as api_cast
from innotter.conftest import rolled_back
from innotter.web.tests import test_routes
from innotter.web.tests.test_routes import cast as site_cast

__all__ = ["api_cast", "site_cast"]  # fixtures


@pytest.mark.usefixtures("aws")
def test_what_a_call_of_the_api_changes_is_changed_in_a_transaction(
    api_cast: test_permissions.Cast,
) -> None:
    wrong = []
    for row in writing(test_permissions.rows()):
        for role in ("owner", "admin"):
            with rolled_back(), outside_of_transactions() as found:
                api_cast.call(row, role)
            wrong += [f"{row}, {role}: {sql}" for sql in found]
    assert_none(wrong)


@pytest.mark.usefixtures("aws")
def test_so_is_what_a_form_of_the_site_changes(site_cast: test_routes.Cast) -> None:
    wrong = []
    for row in writing(test_routes.rows()):
        for role in ("owner", "admin"):
            with rolled_back(), outside_of_transactions() as found:
                site_cast.call(row, role)
            wrong += [f"{row}, {role}: {sql}" for sql in found]
    assert_none(wrong)


def writing[R: (test_permissions.Row, test_routes.Row)](rows: Iterator[R]) -> Iterator[R]:
    """What may write; of reads test_maintenance.py says that they do not."""
    return (row for row in rows if not row.call.startswith("GET"))


# No read shows them: what limits count beforehand, pictures before a row names them, mails
# that wait, and challenges.
UNSEEN = re.compile(r"common_usage|media_picture|accounts_accountmail|accounts_challenge")


@contextmanager
def outside_of_transactions() -> Iterator[list[str]]:
    """The statements that write where only the test has begun one."""
    found: list[str] = []
    depth = len(connection.savepoint_ids)

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        writes = re.search(r"\b(INSERT INTO|UPDATE|DELETE FROM) ", sql)
        is_outside = len(connection.savepoint_ids) == depth
        if writes and is_outside and not UNSEEN.search(sql):
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield found
