"""Makes archives: each by one worker at a time, part by part."""

import time
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.models import AccountMail
from innotter.exports import storage
from innotter.exports.archive import Archive, next_file
from innotter.exports.models import Export
from innotter.exports.sections import total_of
from innotter.media.storage import StorageUnavailable

log = structlog.get_logger(__name__)

# Seconds within which a worker has to say that it goes on.
LEASE = 120
# Seconds that one run works; the next turn of the clock goes on.
LONGEST_RUN = 300
MOST_ATTEMPTS = 20
OFFERED_FOR = timedelta(days=7)

State = Export.State


class Lost(Exception):
    """Another worker has it, or nobody wants it any more."""


def make_exports() -> int:
    """Goes on with all that nobody is making; how many are ready now."""
    until, ready = time.monotonic() + LONGEST_RUN, 0
    while time.monotonic() < until and (export := _claim()):
        try:
            ready += make(export, until=until)
        except (Lost, StorageUnavailable) as error:
            log.warning("export_interrupted", export=str(export.pk), reason=repr(error))
        except storage.UploadLost:
            _start_anew(export)
    return ready


def make(export: Export, *, until: float = float("inf")) -> bool:
    """Whether it is ready; it may not be when the clock of time.monotonic() shows `until`.

    Raises Lost, StorageUnavailable, UploadLost.
    """
    key = storage.key_of(export.user_id)
    if not export.upload_id:
        export.upload_id, export.total = storage.begin(key), total_of(export.user)
        _save(export, "upload_id", "total")
    archive, position = Archive(size=export.size, files=export.files), export.position
    while (file := next_file(export.user, position)) is not None:
        name, data, rows, position = file
        archive.add(name, data, compressed=name.endswith(("json", "jsonl")))
        export.done += rows
        if archive.is_part_full:
            _put_part(export, archive)
            export.files, export.position = archive.files, position
            _save(export, "files", "position", "parts", "size", "done")
            if time.monotonic() > until:
                _release(export)
                return False
        else:
            _say_on(export)
    archive.close()
    _put_part(export, archive)
    _say_on(export)
    storage.complete(key, export.upload_id, export.parts)
    return _finish(export)


def _put_part(export: Export, archive: Archive) -> None:
    data, size = archive.take_part()
    number = len(export.parts) + 1
    tag = storage.put_part(storage.key_of(export.user_id), export.upload_id, number, data)
    export.parts, export.size = [*export.parts, tag], size


@transaction.atomic
def _claim() -> Export | None:
    now = timezone.now()
    export = (
        Export.unclaimed(now)
        .order_by("id")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if export is None:
        return None
    export.attempts += 1
    export.claimed_until = now + timedelta(seconds=LEASE)
    if export.attempts > MOST_ATTEMPTS:
        export.state, export.expires_at = State.FAILED, now + OFFERED_FOR
    export.save()
    return export


def _say_on(export: Export) -> None:
    """Raises Lost."""
    _change(export, done=export.done)


def _save(export: Export, *fields: str) -> None:
    """A part is safe, and so this is no failed attempt. Raises Lost."""
    _change(export, attempts=0, **{field: getattr(export, field) for field in fields})


def _change(export: Export, **changes: object) -> None:
    """Of what is still this worker's. Raises Lost."""
    mine = Export.objects.filter(pk=export.pk, claimed_until=export.claimed_until)
    export.claimed_until = timezone.now() + timedelta(seconds=LEASE)
    if not mine.update(claimed_until=export.claimed_until, **changes):
        raise Lost


def _release(export: Export) -> None:
    Export.objects.filter(pk=export.pk).update(claimed_until=None)


def _start_anew(export: Export) -> None:
    nothing = {"upload_id": "", "parts": [], "size": 0, "files": [], "position": [], "done": 0}
    Export.objects.filter(pk=export.pk).update(claimed_until=None, **nothing)


def _finish(export: Export) -> bool:
    """What was made for somebody who is gone meanwhile goes too."""
    with transaction.atomic():
        ready = Export.objects.filter(pk=export.pk, state=State.RUNNING).update(
            state=State.READY,
            done=F("total"),
            upload_id="",
            parts=[],
            files=[],
            position=[],
            claimed_until=None,
            expires_at=timezone.now() + OFFERED_FOR,
        )
        if ready:
            owe_mail(kind=AccountMail.Kind.EXPORT_READY, user=export.user)
    if not ready:
        storage.forget(storage.key_of(export.user_id), "")
    return bool(ready)
