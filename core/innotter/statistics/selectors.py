"""What statistics ought to say of pages and users by the rows of this database, and where it does
not."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Lower, TruncDate

from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.events.models import Epoch, OutboxEvent
from innotter.events.services import KEPT
from innotter.pages.models import Follow, Page
from innotter.posts.models import Like, Post
from innotter.statistics.stored import (
    Counts,
    Kind,
    Stored,
    StoredPage,
    StoredUser,
    all_stored,
    stored_pages,
    stored_users,
)
from innotter_contracts.counting import day_of, deltas
from innotter_contracts.events import METRICS, Metric, PageRecounted, parse_event
from innotter_contracts.ids import first_id_of

# What is counted: the rows, their key to the page, and the moment that they count from.
COUNTED: dict[Metric, tuple[QuerySet[Any], str, str]] = {
    "posts": (Post.objects.filter(reply_to=None), "page_id", "created_at"),
    "replies": (Post.objects.exclude(reply_to=None), "page_id", "created_at"),
    "replies_received": (Post.objects.all(), "reply_to_page_id", "created_at"),
    "likes": (Like.objects.all(), "page_id", "created_at"),
    "followers": (Follow.objects.exclude(accepted_at=None), "page_id", "accepted_at"),
    "follow_requests": (Follow.objects.filter(accepted_at=None), "page_id", "created_at"),
}
if set(COUNTED) != set(METRICS):
    raise TypeError("COUNTED must count every metric of the contract, and nothing else")


class Difference(NamedTuple):
    kind: Kind
    id: UUID
    # `likes in total`, `likes on 2026-11-20`, `name`.
    what: str
    shown: object
    truth: object


def ids_of(uuids: Collection[str]) -> list[UUID]:
    """The ids of the pages with these uuids, in any case. Raises NotFound for one without."""
    wanted = {uuid.lower() for uuid in uuids}
    found = Page.objects.annotate(lower=Lower("uuid")).filter(lower__in=wanted)
    ids = dict(found.values_list("lower", "id"))
    if missing := wanted - ids.keys():
        raise NotFound(f"No page with the uuid {', '.join(sorted(missing))}.")
    return list(ids.values())


def all_ids(model: type[Page | User], *, at_once: int) -> Iterator[list[UUID]]:
    """Of all pages, or users, in lists of so many."""
    rows = model._default_manager.order_by("id").values_list("id", flat=True)
    some = list(rows[:at_once])
    while some:
        yield some
        some = list(rows.filter(id__gt=some[-1])[:at_once])


def unknown(*, at_once: int) -> Iterator[list[Stored]]:
    """What statistics know of and this database doesn't, because a backup was restored, or the
    event of its end is still on its way. Raises StatisticsUnavailable."""
    for some in batched(all_stored(), at_once, strict=False):
        there = {*_there(Page, some, "page"), *_there(User, some, "user")}
        yield [stored for stored in some if stored not in there]


def _there(model: type[Page | User], some: Collection[Stored], kind: Kind) -> Iterator[Stored]:
    ids = [stored.id for stored in some if stored.kind == kind]
    found = model._default_manager.filter(pk__in=ids).values_list("pk", flat=True)
    return (Stored(kind, pk) for pk in found)


def user_differences(users: Collection[UUID]) -> list[Difference]:
    """Where statistics has something else of these users than the database: whether they are shut
    out, and why. Raises StatisticsUnavailable."""
    rows = User.objects.in_bulk(users)
    return [
        Difference("user", user_id, name, shown=shown, truth=truth)
        for user_id, said in stored_users(users).items()
        for name, shown, truth in zip(
            said._fields, said, _truth_of(rows.get(user_id), said), strict=True
        )
        if shown != truth
    ]


def _truth_of(user: User | None, said: StoredUser) -> StoredUser:
    if user is None:
        # There may be a mark, which expires.
        return StoredUser(is_blocked=False, is_leaving=False, is_deleted=said.is_deleted)
    return StoredUser(user.is_blocked, user.is_leaving, is_deleted=False)


def differences(pages: Collection[UUID]) -> list[Difference]:
    """Where statistics has something else of these pages than the database.

    Totals, and each day whose events are all still in the outbox, are compared exactly; the days
    before it all together, because nobody knows any more what was taken back on which of them.
    What is on its way between the two differs too, until it arrives. Raises
    StatisticsUnavailable.
    """
    first = first_kept_day()
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        profiles = Page.objects.in_bulk(pages)
        totals = totals_of(profiles)
        changes = changes_since(first, profiles)
    found = []
    for page_id, said in stored_pages(pages).items():
        compared = list(_names(profiles.get(page_id), said))
        if page_id in profiles:
            compared += _numbers("in total", totals[page_id], said.totals)
            compared += _days(first, totals[page_id], changes[page_id], said.days)
        for what, ours, theirs in compared:
            if ours != theirs:
                found.append(Difference("page", page_id, what, shown=theirs, truth=ours))
    return found


def _names(page: Page | None, said: StoredPage) -> Iterator[tuple[str, object, object]]:
    """Of a page that isn't there nothing is to be known."""
    yield "uuid", page and page.uuid, said.uuid
    yield "name", page and page.name, said.name
    yield "owner", page and str(page.owner_id), said.owner_id


def totals_of(pages: Collection[UUID]) -> dict[UUID, Counts]:
    """How much there is of everything now."""
    totals: dict[UUID, Counts] = {page: Counter() for page in pages}
    for metric, (rows, key, _) in COUNTED.items():
        found = rows.filter(**{f"{key}__in": pages}).values_list(key).annotate(n=Count("pk"))
        for page, count in found.order_by():
            totals[page][metric] = count
    return totals


def days_of(page: UUID) -> dict[date, Counts]:
    """What there is now, by the UTC day that it came. What was taken back is in no day any more."""
    days: defaultdict[date, Counts] = defaultdict(Counter)
    for metric, (rows, key, since) in COUNTED.items():
        found = rows.filter(**{key: page}).values_list(TruncDate(since, tzinfo=UTC))
        for day, count in found.annotate(n=Count("pk")).order_by():
            days[day][metric] = count
    return dict(days)


def first_kept_day() -> date:
    """The first UTC day whose events are all still in the outbox."""
    return (datetime.now(UTC) - KEPT).date() + timedelta(days=1)


def changes_since(first: date, pages: Collection[UUID]) -> dict[UUID, dict[date, Counts]]:
    """The changes by the events of `first` and later days of each of the pages, by day.

    Of a page that was recounted since then, what it was recounted with and what came after.
    """
    epochs = dict(Epoch.objects.filter(page_id__in=pages).values_list("page_id", "number"))
    changes = {page: defaultdict[date, Counts](Counter) for page in pages}
    for body in _kept_since(first, pages):
        event = parse_event(json.dumps(body))
        for page, metric, amount in deltas(event):
            if page in changes and event.epochs.get(page, 0) == epochs.get(page, 0):
                changes[page][day_of(event)][metric] += amount
        if isinstance(event, PageRecounted):
            payload = event.payload
            if payload.epoch == epochs.get(payload.page_id):
                for day in payload.days:
                    if day.date >= first:
                        changes[payload.page_id][day.date].update(day.counts)
    return {page: dict(days) for page, days in changes.items()}


def _kept_since(first: date, pages: Collection[UUID]) -> Iterator[Any]:
    moment = datetime.combine(first, datetime.min.time(), UTC)
    names = [str(page) for page in pages]
    events = (
        # Ids sort by their moment: what is older is never looked at.
        OutboxEvent.objects.filter(id__gte=first_id_of(moment), occurred_at__gte=moment)
        .annotate(page=KT("body__payload__page_id"), parent=KT("body__payload__reply_to__page_id"))
        .filter(Q(page__in=names) | Q(parent__in=names))
    )
    return events.values_list("body", flat=True).iterator()


def _days(
    first: date, totals: Counts, changes: Mapping[date, Counts], shown: Mapping[date, Counts]
) -> Iterator[tuple[str, int, int]]:
    ours, theirs = Counter(totals), Counter[Metric]()
    for day in sorted({*changes, *(day for day in shown if day >= first)}):
        counts = changes.get(day, Counter())
        ours.subtract(counts)
        yield from _numbers(f"on {day}", counts, shown.get(day, Counter()))
    for day, counts in shown.items():
        if day < first:
            theirs.update(counts)
    yield from _numbers(f"before {first}", ours, theirs)


def _numbers(when: str, ours: Counts, theirs: Counts) -> Iterator[tuple[str, int, int]]:
    for metric in METRICS:
        yield f"{metric} {when}", ours[metric], theirs[metric]
