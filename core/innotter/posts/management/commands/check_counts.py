import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from innotter.posts.selectors import wrong_counts
from innotter.posts.services import correct_count


class Command(BaseCommand):
    help = (
        "Compares the stored counts of pages and posts with the truth. Prints those that differ, "
        "and exits with 1 unless there are none or they were corrected."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="correct them")

    def handle(self, *args: Any, fix: bool, **options: Any) -> None:
        found = list(wrong_counts())
        for wrong in found:
            kind = wrong.row._meta.verbose_name
            self.stdout.write(
                f"{kind} {wrong.row.pk}: {wrong.field} is {wrong.stored}, counted {wrong.truth}"
            )
            if fix:
                correct_count(wrong=wrong)
        self.stdout.write(f"{len(found)} wrong counts{', corrected' if found and fix else ''}")
        if found and not fix:
            sys.exit(1)
