from innotter.accounts.models import User
from innotter.exports import storage
from innotter.exports.models import Export


def export_of(user: User) -> Export | None:
    """The user's own, if there is one."""
    return Export.objects.filter(user=user).first()


def url_of(export: Export | None) -> str | None:
    """Where a ready archive can be fetched for five minutes by who has the URL."""
    if export is None or export.state != Export.State.READY:
        return None
    return storage.url_of(storage.key_of(export.user_id))
