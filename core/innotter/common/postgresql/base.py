"""Django's backend of PostgreSQL, with one thing to do before a transaction is committed."""

from django.db.backends.postgresql import base

from innotter.common.replicas import before_commit


class DatabaseWrapper(base.DatabaseWrapper):
    def _commit(self) -> None:
        if (last := before_commit.get()) is not None:
            last()
        super()._commit()  # type: ignore[misc] # unknown to its stubs
