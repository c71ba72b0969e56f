from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.actors import System
from innotter.common.errors import NotFound
from innotter.moderation.services import give_mailbox, send_password_reset


class Command(BaseCommand):
    help = "Mails a link to a new password to a user, if need be at another e-mail address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", help="the confirmed address from now on")

    def handle(self, *args: Any, username: str, email: str | None, **options: Any) -> None:
        try:
            if email:
                give_mailbox(user=username, mailbox=email)
            send_password_reset(actor=System.COMMAND, user=username)
        except NotFound:
            raise CommandError(f"There is no user {username}.") from None
        self.stdout.write("The mail leaves within seconds, if a worker runs.")
