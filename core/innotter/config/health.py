"""What probes ask: whether a process runs, and whether it can serve."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse

from innotter.accounts import keys
from innotter.common import problems
from innotter.common.views import public
from innotter_contracts.problems import problem


@public
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@public
def ready(request: HttpRequest) -> JsonResponse:
    """Only what every request needs: with the broker, SES, S3 and DynamoDB down the core goes on
    working. 503 names what is missing: `migrations` or `keys`.

    Without the database the answer is that of every view: 503, `database_unavailable`.
    """
    if down := list(_down()):
        detail = f"Down: {', '.join(down)}."
        return problems.response(problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", detail))
    return JsonResponse({"status": "ok"})


def _down() -> Iterator[str]:
    # A newer version may have added others: it goes on working with ours.
    if not _migrations() <= MigrationRecorder(connection).applied_migrations().keys():
        yield "migrations"
    try:
        keys.signing_key()
    except keys.KeysUnavailable:
        yield "keys"


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """Those of this version, by app and name."""
    return frozenset(MigrationLoader(None).disk_migrations)
