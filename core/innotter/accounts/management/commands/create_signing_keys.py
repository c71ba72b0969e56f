from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from innotter.accounts.keys import create_signing_keys


def prefix() -> str:
    """What the kid of a key begins with that production would refuse."""
    return "" if settings.INNOTTER_ENV == "production" else f"{settings.DEVELOPMENT}-"


class Command(BaseCommand):
    help = "Makes the file that SIGNING_KEYS_FILE names: a private JWKS with one new Ed25519 key."
    # Runs before there is a key, a database or anything else.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            create_signing_keys(file, prefix=prefix())
        except FileExistsError:
            raise CommandError(f"{file} is there already.") from None
        self.stdout.write(f"{file} has one key, which signs from now on.")
