from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from innotter.events.dead_letters import dead_letters, discard, replay
from innotter_contracts.events import QUEUES


class Command(BaseCommand):
    help = "Shows what a queue's readers could not take, sends it there again, or throws it away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["list", "replay", "discard"])
        parser.add_argument("queue", choices=QUEUES)
        parser.add_argument("--id", help="replays or discards the one of this id alone")
        parser.add_argument("--reason", help="why they are discarded; it is kept")
        parser.add_argument("--limit", type=int, default=100, help="lists no more than so many")

    def handle(self, *args: Any, **options: Any) -> None:
        queue, one, reason = options["queue"], options["id"], options["reason"]
        match options["what"]:
            case "list":
                self.list(queue, options["limit"])
            case "replay":
                count = replay(settings.AMQP_URL, queue, message_id=one)
                self.stdout.write(f"{count} replayed.")
            case "discard" if reason is None:
                raise CommandError("To discard needs a --reason.")
            case "discard":
                count = discard(settings.AMQP_URL, queue, reason=reason, by=None, message_id=one)
                self.stdout.write(f"{count} discarded.")

    def list(self, queue: str, limit: int) -> None:
        count, letters = dead_letters(settings.AMQP_URL, queue, limit=limit)
        for letter in letters:
            since = f"{letter.since:%Y-%m-%d %H:%M:%S}" if letter.since else "-"
            self.stdout.write(f"{letter.id}  {letter.type}")
            self.stdout.write(f"    {letter.reason}, {letter.count} times, since {since} UTC")
            self.stdout.write(f"    {letter.body}")
        self.stdout.write(f"{count} in all.")
