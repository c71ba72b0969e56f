"""Published events are kept for a while, and then deleted in the background."""

from datetime import timedelta
from random import randrange
from uuid import UUID

import pytest
from django.utils import timezone

from innotter.common import pruning
from innotter.events.models import OutboxEvent
from innotter.events.services import KEPT, prune_outbox
from innotter_contracts.ids import first_id_of

pytestmark = pytest.mark.django_db

A_MINUTE = timedelta(minutes=1)


def event_of(age: timedelta, *, published: timedelta | None) -> OutboxEvent:
    """Both ages count from now."""
    now = timezone.now()
    return OutboxEvent.objects.create(
        id=UUID(int=first_id_of(now - age).int + randrange(2**80)),
        type="post.liked",
        body={},
        occurred_at=now - age,
        published_at=None if published is None else now - published,
    )


def test_only_what_was_published_long_ago_goes() -> None:
    old = KEPT + A_MINUTE
    event_of(old, published=old)
    kept = [
        event_of(old, published=None),
        event_of(old, published=KEPT - A_MINUTE),
        event_of(KEPT - A_MINUTE, published=KEPT - A_MINUTE),
    ]
    assert prune_outbox() == 1
    assert prune_outbox() == 0
    assert set(OutboxEvent.objects.values_list("id", flat=True)) == {event.id for event in kept}


def test_one_run_deletes_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    monkeypatch.setattr(pruning, "STEPS", 2)
    old = KEPT + A_MINUTE
    for _ in range(5):
        event_of(old, published=old)
    assert prune_outbox() == 4
    assert prune_outbox() == 1
