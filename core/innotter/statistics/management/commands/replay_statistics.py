import time
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from innotter.common.errors import NotFound
from innotter.events.services import Busy
from innotter.statistics.selectors import ids_of, page_ids
from innotter.statistics.services import recount

PAGES_AT_ONCE = 500
# Seconds to leave to those who are writing on a page.
PAUSE = 0.5


class Command(BaseCommand):
    help = (
        "Has statistics count pages anew, from this database and while everything runs. "
        "What was counted before stays until then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--page", nargs="+", metavar="UUID")
        which.add_argument("--all", action="store_true")

    def handle(self, *args: Any, page: list[str] | None, **options: Any) -> None:
        pages: Iterable[list[UUID]] = [ids_of(page)] if page else page_ids(at_once=PAGES_AT_ONCE)
        recounted = 0
        for some in pages:
            recounted += sum(map(patiently_recount, some))
            self.stdout.write(f"{recounted} pages are on their way to statistics")


def patiently_recount(page_id: UUID) -> bool:
    """False for a page that is deleted meanwhile."""
    while True:
        try:
            recount(page_id=page_id)
        except Busy:
            time.sleep(PAUSE)
        except NotFound:
            return False
        else:
            return True
