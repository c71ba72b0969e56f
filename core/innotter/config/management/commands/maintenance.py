import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.common import maintenance

# Seconds in which what was being written when it began is done: mostly milliseconds.
PATIENCE = 60


class Command(BaseCommand):
    help = (
        "Makes Innotter read-only, or ends that, without a restart. `on` returns when no process "
        "begins a write any more, and none is at one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_subparsers(dest="way", required=True)
        on = ways.add_parser("on")
        on.add_argument("--reason", required=True, help="one line, for those who meet it")
        ways.add_parser("off")

    def handle(self, *args: Any, way: str, reason: str = "", **options: Any) -> None:
        if way == "off":
            was_on = maintenance.end()
            self.stdout.write("Writes go on." if was_on else "There was no maintenance.")
            return
        begun = maintenance.begin(reason)
        time.sleep(maintenance.BELIEVED_IN)
        until = time.monotonic() + PATIENCE
        while writing := maintenance.still_writing():
            if time.monotonic() > until:
                raise CommandError(f"Read-only; but {writing} transactions are still writing.")
            time.sleep(0.1)
        self.stdout.write(f"Read-only since {begun.since:%Y-%m-%d %H:%M:%S} UTC: {begun.reason}")
