from django.db import connection

from innotter.events.models import OutboxEvent
from innotter_contracts.events import Event
from innotter_contracts.logs import current_request_id

# The relay listens here.
CHANNEL = "innotter_outbox"


def record(*events: Event) -> None:
    """Owes the world these events. Called in the transaction of the change that they tell of,
    so that both are kept or neither; the relay is woken when that transaction commits."""
    assert connection.in_atomic_block, "an event without its change"
    OutboxEvent.objects.bulk_create(map(_owed, events))
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def _owed(event: Event) -> OutboxEvent:
    event = event.model_copy(update={"request_id": current_request_id()})
    return OutboxEvent(
        id=event.id,
        type=event.type,
        body=event.model_dump(mode="json"),
        occurred_at=event.occurred_at,
    )
