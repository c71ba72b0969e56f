"""Addresses that get no mail: what stops it, and how it is allowed again."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from innotter.mail.metrics import SUPPRESSIONS
from innotter.mail.models import Suppression

log = structlog.get_logger("innotter.mail")


@transaction.atomic
def suppress(
    address: str, *, reason: Suppression.Reason, detail: str, happened_at: datetime
) -> None:
    """No mail to this address, in lower case, until somebody lifts it; what happened before that
    changes nothing any more. `detail` is what the other side has said."""
    if "@" not in address or "\0" in address + detail:
        return
    known = {"reason": reason, "detail": detail, "happened_at": happened_at, "lifted_at": None}
    row, new = Suppression.objects.get_or_create(address=address, defaults=known)
    if not new:
        again = Suppression.objects.filter(pk=row.pk, lifted_at__lt=happened_at)
        new = bool(again.update(updated_at=timezone.now(), **known))
    if new:
        SUPPRESSIONS.labels(reason).inc()
        log.warning("suppressed", reason=reason, detail=detail)


def lift_suppressions(suppressions: Collection[UUID]) -> int:
    """Mail to these addresses is tried again; how many that concerns."""
    now = timezone.now()
    active = Suppression.objects.filter(id__in=suppressions, lifted_at=None)
    return active.update(lifted_at=now, updated_at=now)


def lift_suppression(*, mailbox: str, **_: object) -> None:
    """Somebody reads it: they have confirmed it just now."""
    now = timezone.now()
    active = Suppression.objects.filter(address=mailbox, lifted_at=None)
    active.update(lifted_at=now, updated_at=now)
