"""Asks for archives, and forgets them."""

from django.db import transaction
from django.utils import timezone

from innotter.accounts.actions import leaving_action
from innotter.accounts.models import User
from innotter.accounts.passwords import WrongPassword, is_password
from innotter.common.clients import Client
from innotter.common.errors import Conflict
from innotter.exports import storage
from innotter.exports.models import Export


class ExportRunning(Conflict):
    code = "export_running"
    detail = "Your data is being collected already."


@leaving_action
def request_export(*, actor: User, client: Client, current_password: str) -> Export:
    """Has an archive of all that is the actor's made, in place of the one before.

    Raises Throttled, WrongPassword, ExportRunning.
    """
    if not is_password(current_password, user=actor, login="", client=client):
        raise WrongPassword("current_password")
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        before = Export.objects.filter(user=actor).first()
        if before is not None and before.state == Export.State.RUNNING:
            raise ExportRunning
        Export.objects.filter(user=actor).delete()
        return Export.objects.create(user=actor)


def forget_exports(*, user: User) -> None:
    """With an account: its archive, and what there is of an unfinished one. Raises
    StorageUnavailable."""
    export = Export.objects.filter(user=user).first()
    # The row first: the worker that makes it sees that it is wanted no longer.
    Export.objects.filter(user=user).delete()
    storage.forget(storage.key_of(user.pk), export.upload_id if export else "")


def forget_old_exports() -> int:
    """Those that are offered no longer; how many. Raises StorageUnavailable."""
    over = Export.objects.filter(expires_at__lt=timezone.now()).order_by("expires_at")
    for export in over:
        storage.forget(storage.key_of(export.user_id), export.upload_id)
        export.delete()
    return len(over)
