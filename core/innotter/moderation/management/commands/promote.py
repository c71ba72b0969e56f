from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.actors import System
from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.moderation.services import set_role


class Command(BaseCommand):
    help = "Makes a user an admin: the first one, who then makes the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            user = set_role(actor=System.COMMAND, user=username, role=User.Role.ADMIN)
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
        self.stdout.write(f"{user.username} is an admin.")
