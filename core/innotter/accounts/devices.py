"""From which devices, at which networks, a user has logged in. Neither is kept readable."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone, translation

from innotter.accounts.models import KnownDevice, User
from innotter.common.clients import Client
from innotter.common.devices import device_name
from innotter.common.pruning import prune
from innotter.common.throttling import keyed_id

# How long a device is known after a login.
KNOWN_FOR = timedelta(days=90)
# An account that is so young is still with its maker.
SETTLING = timedelta(hours=1)


def remember_device(user: User, client: Client) -> bool:
    """After a login of a user whose row is locked. Whether the device is new: nobody has logged in
    with it, from that network, of late."""
    now = timezone.now()
    device = _device_id(user, client)
    known = KnownDevice.objects.filter(pk=device, updated_at__gt=now - KNOWN_FOR).exists()
    KnownDevice.objects.bulk_create(
        [KnownDevice(id=device, user=user)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["updated_at"],
    )
    return not known and user.created_at < now - SETTLING


def prune_devices() -> int:
    """Deletes those that are known no longer; how many."""
    forgotten = KnownDevice.objects.filter(updated_at__lt=timezone.now() - KNOWN_FOR)
    return prune(forgotten, by="updated_at")


def _device_id(user: User, client: Client) -> UUID:
    """Another version of a browser is the same device."""
    with translation.override("en"):
        device = device_name(client.user_agent)
    return keyed_id(f"known device\n{user.pk} {device} {client.network}")
