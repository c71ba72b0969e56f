from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from innotter.events.services import put_back


class Command(BaseCommand):
    help = "Lets the relay try again at once the events of the outbox that are set aside."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="*", type=UUID, help="of an event; all when none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        count = put_back(options["id"] or None)
        self.stdout.write(f"{count} put back.")
