from innotter.accounts.models import User
from innotter.common.errors import NotFound


def user_named(username: str) -> User:
    """Raises NotFound."""
    user = User.objects.filter(username__lower=username.lower()).first()
    if user is None:
        raise NotFound
    return user
