from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.common.errors import NotFound
from innotter.moderation.management.asking import ask_for_password
from innotter.moderation.services import set_password


class Command(BaseCommand):
    """In place of Django's, which ends no session and tells nobody."""

    help = (
        "Sets a user's password, ends all their sessions and tells their mailbox. Asks for it, or "
        "reads it from standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            set_password(user=username, password=ask_for_password())
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
        self.stdout.write(f"{username} has another password, and all their sessions have ended.")
