"""Stores uploaded pictures and deletes unused ones.

The row of a picture is there before its files and goes after them, and is locked while they go:
see docs/decisions/0018.
"""

import json
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path, PurePath
from threading import Semaphore
from typing import Any

import structlog
from django.core.files import File
from django.db import transaction
from django.db.models import Exists, ManyToOneRel, OuterRef, QuerySet
from django.utils import timezone

from innotter.common.errors import Invalid, Unavailable
from innotter.common.maintenance import require_writable
from innotter.media import storage
from innotter.media.models import Picture

log = structlog.get_logger(__name__)

MAX_BYTES = 5 * 1024 * 1024
# What the content of a file has to be, by its extension.
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF"}

# Makes the avatars; see there why it is a program of its own. It gets no environment: no secrets.
PROGRAM = [sys.executable, "-I", str(Path(__file__).with_name("avatars.py"))]
# Seconds that it may run, and that a request waits until it is its turn: one picture at a time in
# each process bounds the memory of them all.
LONGEST, PATIENCE = 15, 10
TURN = Semaphore(1)

# For so long a picture is kept for the row that is about to name it; a request takes less.
KEPT_UNUSED = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 100


class TooLarge(Invalid):
    code = "too_large"
    detail = "Pictures are limited to 5 MB."


class UnknownExtension(Invalid):
    code = "unknown_extension"
    detail = f"The extension must be one of {', '.join(KINDS)}."


class WrongExtension(Invalid):
    code = "wrong_extension"
    detail = "The content does not match the extension."


class TooManyPixels(Invalid):
    code = "too_many_pixels"
    detail = "Pictures are limited to 40 megapixels."


class Unreadable(Invalid):
    code = "unreadable"
    detail = "Damaged file, or not a PNG, JPEG, WebP or GIF."


class Busy(Unavailable):
    code = "busy"
    detail = "Too many pictures are being processed. Try again later."


REFUSALS: dict[str, type[Invalid]] = {
    refusal.code: refusal for refusal in (WrongExtension, TooManyPixels, Unreadable)
}


def store_picture(*, image: "File[Any]") -> str:
    """Stores the avatars made of a file, and returns the picture's name, which a row has to take
    as its `image` within KEPT_UNUSED. Not for use in a transaction: others have to see the claim.

    Raises Invalid for what is no picture that we take; Busy, StorageUnavailable; ReadOnly where
    maintenance has begun meanwhile.
    """
    kind = KINDS.get(PurePath(image.name or "").suffix.lower())
    if kind is None:
        raise UnknownExtension("image")
    if image.size > MAX_BYTES:
        raise TooLarge("image")
    files = _avatars(image.read(), kind)
    name = sha256(b"".join(files)).hexdigest()
    # Both take seconds: to make the files, and to store them.
    require_writable()
    _claim(name)
    # However often it has been stored before: a file that was lost is there again.
    storage.put(name, dict(zip(storage.SIZES, files, strict=True)))
    require_writable()
    return name


def forget_pictures() -> int:
    """Deletes the pictures that no row names any more; how many. Several at once share the work.

    Raises StorageUnavailable.
    """
    deleted = 0
    while some := _forget_some():
        deleted += some
    return deleted


def _avatars(file: bytes, kind: str) -> list[bytes]:
    """Raises Invalid and Busy."""
    if not TURN.acquire(timeout=PATIENCE):
        raise Busy
    try:
        run = subprocess.run(  # noqa: S603 # the kind is one of ours
            [*PROGRAM, kind], input=file, env={}, timeout=LONGEST, check=False, capture_output=True
        )
    except subprocess.TimeoutExpired:
        # Its own bound is one of work, not of time: others have kept it from working.
        raise Busy from None
    finally:
        TURN.release()
    if run.returncode < 0:
        log.warning("picture_refused", signal=-run.returncode)
        raise Unreadable("image")
    if run.returncode > 0:
        raise RuntimeError(run.stderr.decode(errors="replace"))
    line, _, data = run.stdout.partition(b"\n")
    said = json.loads(line)
    if "refused" in said:
        log.info("picture_refused", **said)
        raise REFUSALS[said["refused"]]("image")
    large, _small = said["sizes"]
    return [data[:large], data[large:]]


def _claim(name: str) -> None:
    """Protects the picture from deletion from now on; waits for one in progress."""
    Picture.objects.bulk_create(
        [Picture(name=name)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["updated_at"],
    )


@transaction.atomic
def _forget_some() -> int:
    # What was claimed in between is looked at once more when its lock is had.
    unused = _unused().select_for_update(skip_locked=True).order_by("id")[:FORGOTTEN_AT_ONCE]
    names = [picture.name for picture in unused]
    if names:
        storage.delete(names)
        Picture.objects.filter(name__in=names).delete()
    return len(names)


def _unused() -> QuerySet[Picture]:
    """That no foreign key points to, in whatever app, and that nobody has claimed of late."""
    unused = Picture.objects.filter(updated_at__lt=timezone.now() - KEPT_UNUSED)
    for relation in Picture._meta.get_fields(include_hidden=True):
        if isinstance(relation, ManyToOneRel):
            rows = relation.related_model._default_manager
            unused = unused.exclude(Exists(rows.filter(**{relation.field.name: OuterRef("name")})))
    return unused
