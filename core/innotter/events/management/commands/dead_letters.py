from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from innotter.events.dead_letters import (
    DeadLetterNotFound,
    count_dead_letters,
    dead_letters,
    replay,
)
from innotter_contracts.events import QUEUES


class Command(BaseCommand):
    help = "Shows what a queue's readers could not take, or sends it to that queue again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["list", "replay"])
        parser.add_argument("queue", choices=QUEUES)
        parser.add_argument("--id", help="replays the one of this id alone")
        parser.add_argument("--limit", type=int, default=100, help="lists no more than so many")

    def handle(self, *args: Any, **options: Any) -> None:
        queue = options["queue"]
        if options["what"] == "list":
            self.list(queue, options["limit"])
            return
        try:
            count = replay(settings.AMQP_URL, queue, message_id=options["id"])
        except DeadLetterNotFound as error:
            raise CommandError(f"{queue} has no dead letter {error}.") from None
        self.stdout.write(f"{count} replayed.")

    def list(self, queue: str, limit: int) -> None:
        for letter in dead_letters(settings.AMQP_URL, queue, limit=limit):
            since = f"{letter.since:%Y-%m-%d %H:%M:%S}" if letter.since else "-"
            self.stdout.write(f"{letter.id}  {letter.type}")
            self.stdout.write(f"    {letter.reason}, {letter.count} times, since {since} UTC")
            self.stdout.write(f"    {letter.body}")
        self.stdout.write(f"{count_dead_letters(settings.AMQP_URL, queue)} in all.")
