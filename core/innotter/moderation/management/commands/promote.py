from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.selectors import user_named
from innotter.common.errors import NotFound
from innotter.moderation.services import promote


class Command(BaseCommand):
    help = "Makes a user an admin: the first one, who then makes the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            promote(user=user_named(username))
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
