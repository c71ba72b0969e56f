from django.db import models

from innotter.common.models import Record


class Picture(Record):
    """A picture that we store, or are about to: what shows it has a foreign key to its name.

    `updated_at` is when it was last asked to be stored: see services.
    """

    # SHA-256, in hexadecimal, of all that is stored under it.
    name = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.name
