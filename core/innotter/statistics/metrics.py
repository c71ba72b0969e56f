"""How large the instance is: users, those that are active, pages and posts. The figures are for
its operator, as metrics and in the admin panel; what a page's owner sees is the statistics
service's."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from threading import Lock
from typing import NamedTuple

from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from innotter.accounts.models import Session, User
from innotter.pages.models import Page
from innotter.posts.models import Post

# Seconds for which a process remembers what it has counted.
REMEMBERED = 300
# Tables with more rows aren't counted, which would read an index as a whole: PostgreSQL's estimate
# is right to some percent, and takes no time.
EXACT = 1_000_000
# Milliseconds that the database may take for one count.
BOUND = 3_000
# Users count as active on the day, and in the month, in which they last used a session.
ACTIVE = {"day": timedelta(days=1), "month": timedelta(days=30)}


class Instance(NamedTuple):
    users: int
    active: dict[str, int]
    pages: int
    posts: int


class _Count:
    """What one process has counted last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: Instance | None = None
        self._at = 0.0

    def get(self) -> Instance:
        with self._lock:
            if self._counted is None or time.monotonic() - self._at > REMEMBERED:
                self._counted, self._at = _count(), time.monotonic()
            return self._counted


_remembered = _Count()


def figures_of_instance() -> Instance:
    """At most REMEMBERED seconds old. Raises django.db.Error, also where a count takes longer than
    BOUND."""
    return _remembered.get()


def _count() -> Instance:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {BOUND}")
        counted = Instance(
            users=_rows_of(User),
            active={name: _active_within(span) for name, span in ACTIVE.items()},
            pages=_rows_of(Page),
            posts=_rows_of(Post),
        )
        cursor.execute("SET LOCAL statement_timeout = DEFAULT")
    return counted


def _rows_of(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        [estimate] = cursor.fetchone()
    return int(estimate) if estimate > EXACT else model._default_manager.count()


def _active_within(span: timedelta) -> int:
    used = Session.objects.filter(last_used_at__gt=timezone.now() - span)
    return used.values("user").distinct().count()


class InstanceFigures(Collector):
    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is looked at when this is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            # In a thread of its own, and so is its connection.
            with closing(connection):
                found = figures_of_instance()
        except DatabaseFailure:
            return
        yield GaugeMetricFamily("innotter_users", "Accounts.", found.users)
        active = GaugeMetricFamily(
            "innotter_users_active",
            "Users who have used a session in the last day, or the last 30 days.",
            labels=["within"],
        )
        for name, count in found.active.items():
            active.add_metric([name], count)
        yield active
        yield GaugeMetricFamily("innotter_pages", "Pages.", found.pages)
        yield GaugeMetricFamily("innotter_posts", "Posts, replies included.", found.posts)
