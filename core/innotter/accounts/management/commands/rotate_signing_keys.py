from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from innotter.accounts.keys import rotate_signing_keys
from innotter.accounts.management.commands.create_signing_keys import prefix

# Seconds: twice the max-age of /.well-known/jwks.json.
LEAD = 600


class Command(BaseCommand):
    help = (
        "Adds a new key to SIGNING_KEYS_FILE. It is published at once and signs after a lead; "
        "tokens of the key before it live out their time. Running processes need no restart."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--lead",
            type=int,
            default=LEAD,
            metavar="SECONDS",
            help="until the new key signs, so that all who verify know it by then: %(default)s",
        )
        parser.add_argument(
            "--stolen",
            action="store_true",
            help="the keys that are there are known to others: none is believed any more, the new "
            "one signs at once, and everybody's next request is a refresh",
        )

    def handle(self, *args: Any, lead: int, stolen: bool, **options: Any) -> None:
        kid = rotate_signing_keys(
            settings.SIGNING_KEYS_FILE,
            prefix=prefix(),
            lead=0 if stolen else max(lead, 0),
            only=stolen,
        )
        if stolen:
            self.stdout.write(
                f"{kid} signs from now on. No other key is believed any more: by the core at once, "
                "by statistics within two seconds."
            )
        else:
            self.stdout.write(
                f"{kid} is published, and signs in {max(lead, 0)} seconds. Tokens of the key "
                "before it live out their time."
            )
