"""Django's backend of PostgreSQL, with one thing to do before a transaction is committed, and for
servers that don't answer."""

from typing import Any

from django.db.backends.postgresql import base

from innotter.common.postgresql.attempts import attempts_at
from innotter.common.replicas import before_commit


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with attempts_at(self.alias).attempt():
            return super().get_new_connection(conn_params)

    def _commit(self) -> None:
        if (last := before_commit.get()) is not None:
            last()
        super()._commit()  # type: ignore[misc] # unknown to its stubs
