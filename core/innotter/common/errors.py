"""Errors of the domain. Apps subclass these; problems.py renders them."""

import math
from typing import ClassVar


class DomainError(Exception):
    """`code` is the stable word that clients branch on; the message is for people."""

    code: ClassVar[str]
    detail: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.detail)


class NotFound(DomainError):
    code = "not_found"
    detail = "Not found."


class Forbidden(DomainError):
    code = "forbidden"
    detail = "Permission denied."


class Conflict(DomainError):
    code = "conflict"
    detail = "Conflict with the current state."


class Unauthenticated(DomainError):
    code = "unauthenticated"
    detail = "Authentication required."


class Unavailable(DomainError):
    """A dependency is unavailable or busy; the client may retry."""

    code = "unavailable"
    detail = "Temporarily unavailable."
    # Seconds.
    retry_after: ClassVar[int] = 10


class DatabaseUnavailable(Unavailable):
    """Of a write in progress nothing is kept, but for what follows."""

    code = "database_unavailable"
    detail = "The database is unavailable."
    retry_after = 5


class UnknownOutcome(DatabaseUnavailable):
    """The database was lost while it committed, or no replica has confirmed the commit."""

    code = "unknown_outcome"
    detail = "Whether this was done is unknown."


class ReadOnly(Unavailable):
    """Nothing was changed, and nothing will be until the operator says so."""

    code = "maintenance"
    detail = "Read-only for maintenance."
    retry_after = 60


class Throttled(DomainError):
    code = "throttled"
    detail = "Too many requests."

    def __init__(self, seconds: float) -> None:
        super().__init__()
        # Whole seconds, as in the Retry-After header.
        self.retry_after = max(1, math.ceil(seconds))


class Invalid(DomainError):
    """One field of the input breaks a rule of the domain."""

    code = "invalid"
    detail = "Invalid value."

    def __init__(self, field: str, detail: str | None = None) -> None:
        super().__init__(detail)
        self.field = field
