"""Deliveries that are over are kept for a while, and then deleted in the background."""

from datetime import timedelta
from random import randrange
from uuid import UUID

import pytest
from django.utils import timezone

from innotter.common import pruning
from innotter.conftest import new_user
from innotter.mail.models import Delivery
from innotter.mail.queueing import KEPT, prune_deliveries
from innotter.posts.models import Post
from innotter_contracts.ids import first_id_of

State = Delivery.State
A_MINUTE = timedelta(minutes=1)
OLD = KEPT + A_MINUTE


def delivery(post: Post, state: State, *, age: timedelta = OLD) -> Delivery:
    """To somebody of its own; made and ended so long ago."""
    moment = timezone.now() - age
    made = Delivery.objects.create(
        id=UUID(int=first_id_of(moment).int + randrange(2**80)),
        page=post.page,
        post=post,
        recipient=new_user(f"reader-{Delivery.objects.count()}"),
        state=state,
    )
    Delivery.objects.filter(pk=made.pk).update(updated_at=moment)
    return made


def test_only_what_was_over_long_ago_goes(post: Post) -> None:
    for state in (State.SENT, State.FAILED, State.UNKNOWN, State.SKIPPED):
        delivery(post, state)
    kept = [
        delivery(post, State.WAITING),
        delivery(post, State.SENDING),
        delivery(post, State.SENT, age=KEPT - A_MINUTE),
    ]
    assert prune_deliveries() == 4
    assert prune_deliveries() == 0
    assert set(Delivery.objects.values_list("id", flat=True)) == {each.id for each in kept}


def test_one_run_deletes_no_more_than_so_many(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    monkeypatch.setattr(pruning, "STEPS", 2)
    for _ in range(5):
        delivery(post, State.SENT)
    assert prune_deliveries() == 4
    assert prune_deliveries() == 1
