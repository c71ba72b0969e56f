from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.second_factor import remove_second_factor
from innotter.common.errors import NotFound


class Command(BaseCommand):
    help = (
        "Takes authenticator app, passkeys and recovery codes from a user who has lost them, ends "
        "their sessions, and tells them by mail. Make sure first who is asking."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            removed = remove_second_factor(username=username)
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
        if removed:
            self.stdout.write(
                f"{username} has no second factor now; all their sessions have ended."
            )
        else:
            self.stdout.write(f"{username} has no second factor, as before.")
