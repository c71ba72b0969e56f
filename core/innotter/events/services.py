from django.db import connection

from innotter.events.models import OutboxEvent
from innotter_contracts.events import Event
from innotter_contracts.logs import current_request_id

# The relay listens here.
CHANNEL = "innotter_outbox"


def record(event: Event) -> None:
    """Owes the world this event. Called in the transaction of the change that it tells of,
    so that both are kept or neither; the relay is woken when that transaction commits."""
    assert connection.in_atomic_block, "an event without its change"
    event = event.model_copy(update={"request_id": current_request_id()})
    OutboxEvent.objects.create(
        id=event.id,
        type=event.type,
        body=event.model_dump(mode="json"),
        occurred_at=event.occurred_at,
    )
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
