from datetime import UTC, datetime
from uuid import UUID

import uuid6


def new_id() -> UUID:
    """A UUIDv7: sorts by the moment it was made, needs no sequence.

    The standard library has `uuid.uuid7` from Python 3.14 on; we support 3.13.
    """
    return UUID(int=uuid6.uuid7().int)


def first_id_of(moment: datetime) -> UUID:
    """Sorts before every id that is made in that millisecond or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def moment_of(id: UUID) -> datetime:
    """When the id was made, to the millisecond."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
