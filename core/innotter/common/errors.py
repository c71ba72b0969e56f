"""What can go wrong in the domain. Apps subclass these; problems.py turns them into answers."""

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
    detail = "There is nothing here, or nothing that you may see."


class Forbidden(DomainError):
    code = "forbidden"
    detail = "You may not do this."


class Conflict(DomainError):
    code = "conflict"
    detail = "This does not go together with what is there already."


class Unauthenticated(DomainError):
    code = "unauthenticated"
    detail = "Authentication required."


class Unavailable(DomainError):
    """Something of ours that this needs is away or busy, which is nobody's mistake."""

    code = "unavailable"
    detail = "This cannot be done at the moment."
    # Seconds.
    retry_after: ClassVar[int] = 10


class DatabaseUnavailable(Unavailable):
    """Whether a write was committed that was under way is not known."""

    code = "database_unavailable"
    detail = "The database is unavailable at the moment."
    retry_after = 5


class Throttled(DomainError):
    code = "throttled"
    detail = "Too many requests."

    def __init__(self, seconds: float) -> None:
        super().__init__()
        # Whole seconds, as the header has them.
        self.retry_after = max(1, math.ceil(seconds))


class Invalid(DomainError):
    """One field of the input breaks a rule of the domain."""

    code = "invalid"
    detail = "This value is not valid."

    def __init__(self, field: str, detail: str | None = None) -> None:
        super().__init__(detail)
        self.field = field
