from typing import Any

from django.core.management.base import BaseCommand

from innotter.accounts.factors import reencrypt_secrets


class Command(BaseCommand):
    help = (
        "Encrypts the secrets of authenticator apps with the SECRET_KEY of today. Afterwards "
        "SECRET_KEY_FALLBACKS no longer needs the former one for them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = reencrypt_secrets()
        self.stdout.write(f"{done} secrets encrypted anew, {unreadable} unreadable.")
