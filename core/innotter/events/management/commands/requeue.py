from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from innotter.events.services import requeue


class Command(BaseCommand):
    help = "Has the relay try the deferred events of the outbox again at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="*", type=UUID, help="of an event; all when none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        ids = set(options["id"])
        count = requeue(ids or None)
        self.stdout.write(f"{count} requeued.")
        if count < len(ids):
            raise CommandError(f"{len(ids) - count} are no deferred events.")
