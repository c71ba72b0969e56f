import pytest
import structlog
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from innotter.events.models import OutboxEvent
from innotter.events.services import record
from innotter_contracts.events import PostLiked
from innotter_contracts.ids import new_id


def an_event() -> PostLiked:
    payload = {"post_id": new_id(), "page_id": new_id(), "user_id": new_id()}
    return PostLiked.model_validate({"actor": None, "payload": payload})


@pytest.mark.django_db
def test_an_event_is_kept_with_its_change() -> None:
    event = an_event()
    with transaction.atomic():
        record(event)
    row = OutboxEvent.objects.get()
    assert (row.id, row.type, row.occurred_at) == (event.id, "post.liked", event.occurred_at)
    assert row.published_at is None


@pytest.mark.django_db
def test_an_event_vanishes_with_its_change() -> None:
    with transaction.atomic():
        record(an_event())
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_without_a_transaction_is_refused() -> None:
    with pytest.raises(AssertionError):
        record(an_event())
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
def test_an_event_names_the_request_that_caused_it() -> None:
    with structlog.contextvars.bound_contextvars(request_id="a-request"), transaction.atomic():
        record(an_event())
    assert OutboxEvent.objects.get().body["request_id"] == "a-request"


@pytest.mark.django_db
def test_many_events_are_kept_at_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    events = [an_event() for _ in range(100)]
    with django_assert_num_queries(1):
        record(*events)
    assert set(OutboxEvent.objects.values_list("id", flat=True)) == {event.id for event in events}
