import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from innotter.statistics.selectors import Difference, differences, ids_of, page_ids
from innotter.statistics.stored import StatisticsUnavailable

PAGES_AT_ONCE = 5_000
# Seconds between two looks at what may be on its way.
PAUSE = 0.5


class Command(BaseCommand):
    help = (
        "Compares the statistics of pages with the database: totals, and days as far as the "
        "outbox still knows them. Prints what differs, and exits with 1 if anything does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--page", nargs="+", metavar="UUID", help="these; otherwise all")
        parser.add_argument(
            "--wait",
            type=float,
            default=10,
            metavar="SECONDS",
            help="how long a difference may be on its way (%(default)s)",
        )

    def handle(self, *args: Any, page: list[str] | None, wait: float, **options: Any) -> None:
        pages: Iterable[list[UUID]] = [ids_of(page)] if page else page_ids(at_once=PAGES_AT_ONCE)
        looked_at, found = 0, 0
        for some in pages:
            looked_at += len(some)
            try:
                lasting_differences = lasting(some, wait=wait)
            except StatisticsUnavailable as error:
                raise CommandError(str(error)) from None
            for different in lasting_differences:
                found += 1
                self.stdout.write(
                    f"page {different.page_id}: {different.what} is {different.shown}, "
                    f"not {different.truth}"
                )
            self.stderr.write(f"{looked_at} pages, {found} differences")
        if found:
            sys.exit(1)


def lasting(pages: list[UUID], *, wait: float) -> list[Difference]:
    """The differences that are still there after `wait` seconds."""
    until = time.monotonic() + wait
    while True:
        found = differences(pages)
        if not found or time.monotonic() > until:
            return found
        pages = list({different.page_id for different in found})
        time.sleep(PAUSE)
