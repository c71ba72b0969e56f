from collections.abc import Callable
from functools import wraps

from innotter.accounts.actors import Actor
from innotter.accounts.models import User
from innotter.accounts.policies import require_active
from innotter.common.throttling import Use, consume


def action[**Arguments, Result](
    service: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """A service that changes something for its `actor`.

    Before anything else, and before its transaction begins: a blocked actor is refused, and the
    limit of writes is counted, which no refusal takes back. Raises UserBlocked, Throttled.
    """

    @wraps(service)
    def counted(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        actor: Actor = kwargs["actor"]  # type: ignore[assignment] # by the name that all have
        require_active(actor)
        if isinstance(actor, User):
            consume(Use("writes", str(actor.pk)))
        return service(*args, **kwargs)

    return counted
