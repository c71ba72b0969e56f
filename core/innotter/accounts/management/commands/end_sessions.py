from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.sessions import end_sessions_of
from innotter.common.errors import NotFound


class Command(BaseCommand):
    help = (
        "Ends every session of a user, or of everybody: in the API, on the site and in the panel. "
        "Statistics accept access tokens of such a session for the rest of their ten minutes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("username", nargs="?")
        who.add_argument("--all", action="store_true", help="of everybody")

    def handle(self, *args: Any, username: str | None, **options: Any) -> None:
        try:
            ended = end_sessions_of(username)
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
        self.stdout.write(f"{ended} sessions ended.")
