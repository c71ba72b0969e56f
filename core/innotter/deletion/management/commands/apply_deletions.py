from typing import Any

from django.core.management import BaseCommand

from innotter.deletion.services import apply_again


class Command(BaseCommand):
    help = "After a backup was restored: deletes again all users who were gone since it was made."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{apply_again()} accounts are being deleted again.")
