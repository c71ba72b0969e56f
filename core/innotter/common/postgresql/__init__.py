"""The database backend, and the way past a pooler."""

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections


def connect_directly() -> None:
    """From here on all connections of this process go past the pooler, if there is one: what is
    kept on one of them, such as LISTEN, is kept there only."""
    if settings.DIRECT_DATABASE:
        connections.close_all()
        connections.settings[DEFAULT_DB_ALIAS].update(
            settings.DIRECT_DATABASE, DISABLE_SERVER_SIDE_CURSORS=False
        )
