import time
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.events.services import Busy
from innotter.pages.models import Page
from innotter.statistics.selectors import all_ids, ids_of, unknown
from innotter.statistics.services import forget, recount, restate
from innotter.statistics.stored import StatisticsUnavailable

AT_ONCE = 500
# Seconds to leave to those who are writing on a page.
PAUSE = 0.5


class Command(BaseCommand):
    help = (
        "Tells statistics anew what they keep of pages and users, from this database and while "
        "everything runs. What was told before stays until then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--page",
            nargs="+",
            metavar="UUID",
            help="these. One that begins with a hyphen: --page=-UUID",
        )
        which.add_argument(
            "--all",
            action="store_true",
            help="users too; and what this database doesn't have is forgotten",
        )

    def handle(self, *args: Any, page: list[str] | None, **options: Any) -> None:
        self._recount([ids_of(page)] if page else all_ids(Page, at_once=AT_ONCE))
        if page:
            return
        self._restate()
        try:
            self._forget()
        except StatisticsUnavailable as error:
            reason = f"What else statistics know of could not be asked. {error}"
            raise StatisticsUnavailable(reason) from None

    def _recount(self, pages: Iterable[list[UUID]]) -> None:
        recounted = 0
        for some in pages:
            recounted += sum(map(patiently_recount, some))
            self.stdout.write(f"{recounted} pages are on their way to statistics")

    def _restate(self) -> None:
        restated = 0
        for some in all_ids(User, at_once=AT_ONCE):
            restated += restate(user_ids=some)
            self.stdout.write(f"{restated} users are on their way to statistics")

    def _forget(self) -> None:
        forgotten = 0
        for some in unknown(at_once=AT_ONCE):
            forget(some)
            forgotten += len(some)
        self.stdout.write(f"{forgotten} pages and users that are not here are to be forgotten")


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
