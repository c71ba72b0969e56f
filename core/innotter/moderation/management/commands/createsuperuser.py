from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from innotter.moderation.management.asking import ask_for_password
from innotter.moderation.services import make_admin


class Command(BaseCommand):
    """In place of Django's, which knows neither our rules nor the moderation log."""

    help = (
        "Makes an account that is an admin's, with a confirmed mailbox, under any name. Asks for "
        "the password, or reads it from standard input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("email")

    def handle(self, *args: Any, username: str, email: str, **options: Any) -> None:
        admin = make_admin(username=username, email=email, password=ask_for_password())
        self.stdout.write(f"{admin.username} is an admin, with the mailbox {admin.email}.")
