import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from innotter.accounts.models import User
from innotter.pages.models import Page
from innotter.statistics.selectors import (
    Difference,
    all_ids,
    differences,
    ids_of,
    unknown,
    user_differences,
)

AT_ONCE = 5_000
# Seconds between two looks at what may be on its way.
PAUSE = 0.5

type Compare = Callable[[Collection[UUID]], list[Difference]]

KINDS: tuple[tuple[str, type[Page | User], Compare], ...] = (
    ("page", Page, differences),
    ("user", User, user_differences),
)


class Command(BaseCommand):
    help = (
        "Compares statistics with the database: of pages names and owner, totals, and days as "
        "far as the outbox still knows them; who is blocked or leaving; and whether they know "
        "anything else. Prints what differs, and exits with 1 if anything does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--page",
            nargs="+",
            metavar="UUID",
            help="these; otherwise all, and users. One that begins with a hyphen: --page=-UUID",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=10,
            metavar="SECONDS",
            help="how long a difference may be on its way (%(default)s)",
        )

    def handle(self, *args: Any, page: list[str] | None, wait: float, **options: Any) -> None:
        if page:
            found = self._compare("pages", differences, [ids_of(page)], wait=wait)
        else:
            found = self._compare_all(wait=wait)
        if found:
            sys.exit(1)

    def _compare_all(self, *, wait: float) -> int:
        found = 0
        for kind, model, compare in KINDS:
            ids = all_ids(model, at_once=AT_ONCE)
            found += self._compare(f"{kind}s", compare, ids, wait=wait)
        others = [stored for some in unknown(at_once=AT_ONCE) for stored in some]
        for kind, _, compare in KINDS:
            gone = [stored.id for stored in others if stored.kind == kind]
            what = f"{kind}s that are not here"
            found += self._compare(what, compare, [gone] if gone else [], wait=wait)
        return found

    def _compare(
        self, what: str, compare: Compare, ids: Iterable[list[UUID]], *, wait: float
    ) -> int:
        """How many differences there are, each printed."""
        looked_at, found = 0, 0
        for some in ids:
            looked_at += len(some)
            for different in lasting(compare, some, wait=wait):
                found += 1
                self.stdout.write(
                    f"{different.kind} {different.id}: {different.what} is {different.shown}, "
                    f"not {different.truth}"
                )
            self.stderr.write(f"{looked_at} {what}, {found} differences")
        return found


def lasting(compare: Compare, ids: list[UUID], *, wait: float) -> list[Difference]:
    """The differences that are still there after `wait` seconds."""
    until = time.monotonic() + wait
    while True:
        found = compare(ids)
        if not found or time.monotonic() > until:
            return found
        ids = list({different.id for different in found})
        time.sleep(PAUSE)
