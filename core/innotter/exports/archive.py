"""Writes the archive in parts: a zip that is never whole in memory, and can be gone on with by
another process after each part.

A part ends where a file of the archive ends, so that nothing of a compressor has to be kept.
"""

import json
import zipfile
from collections.abc import Buffer
from typing import IO, Any, cast
from uuid import UUID

from django.utils import timezone

from innotter.accounts.models import User
from innotter.exports import sections
from innotter.media import storage as pictures

# S3 takes no smaller part but the last.
PART_SIZE = 5 * 1024 * 1024

# What the next file is of: the section, the id after which its rows begin, its number.
type Position = list[Any]

FIELDS = ("CRC", "compress_size", "file_size", "header_offset", "flag_bits", "compress_type")
PICTURES = "pictures"
ORDER = ["account", *sections.SECTIONS, PICTURES]


class _Part:
    """What is written since the last part; `tell()` counts from the beginning of the archive."""

    def __init__(self, before: int) -> None:
        self._before = before
        self.data = bytearray()

    def write(self, data: Buffer, /) -> int:
        self.data += data
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._before + len(self.data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self.data)
        self._before += len(data)
        self.data.clear()
        return data


class Archive:
    """A zip of which `files` are already written, in `size` bytes."""

    def __init__(self, *, size: int, files: list[dict[str, Any]]) -> None:
        self._part = _Part(size)
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._part), "w", zipfile.ZIP_DEFLATED)
        for each in files:
            info = zipfile.ZipInfo(each["name"], tuple(each["moment"]))
            for field in FIELDS:
                setattr(info, field, each[field])
            self._zip.filelist.append(info)

    @property
    def files(self) -> list[dict[str, Any]]:
        return [
            {
                "name": info.filename,
                "moment": list(info.date_time),
                **{field: getattr(info, field) for field in FIELDS},
            }
            for info in self._zip.filelist
        ]

    @property
    def is_part_full(self) -> bool:
        return len(self._part.data) >= PART_SIZE

    def add(self, name: str, data: bytes, *, compressed: bool) -> None:
        info = zipfile.ZipInfo(name, timezone.now().timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        self._zip.writestr(info, data)

    def close(self) -> None:
        self._zip.close()

    def take_part(self) -> tuple[bytes, int]:
        """What was written since the last part, and how many bytes there are with it."""
        data = self._part.take()
        return data, self._part.tell()


def next_file(user: User, position: Position) -> tuple[str, bytes, int, Position] | None:
    """The name and content of a file, the rows in it, and what comes then; None at the end.

    Raises StorageUnavailable.
    """
    section, after, number = position or [ORDER[0], None, 1]
    while section is not None:
        made = _file(user, section, after, number)
        if made is not None:
            return made
        section, after, number = _following(section), None, 1
    return None


def _file(
    user: User, section: str, after: str | None, number: int
) -> tuple[str, bytes, int, Position] | None:
    """None where the section has no more."""
    if section == "account":
        data = _json(sections.account(user), indent=2)
        return "account.json", data, 1, [_following(section), None, 1]
    if section == PICTURES:
        return _picture(user, after or "")
    rows = sections.rows_of(section, user, UUID(after) if after else None, sections.ROWS_PER_FILE)
    if not rows:
        return None
    data = b"".join(_json(row) + b"\n" for row in sections.lines(section, rows))
    position = [section, str(rows[-1].pk), number + 1]
    return f"{section}/{number:05}.jsonl", data, len(rows), position


def _picture(user: User, after: str) -> tuple[str, bytes, int, Position] | None:
    for name in sections.pictures_of(user):
        if name > after:
            data = pictures.read(name)
            if data is not None:
                return f"{PICTURES}/{name}.webp", data, 1, [PICTURES, name, 1]
    return None


def _following(section: str) -> str | None:
    place = ORDER.index(section) + 1
    return ORDER[place] if place < len(ORDER) else None


def _json(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()
