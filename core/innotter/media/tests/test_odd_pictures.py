"""Pictures that browsers show, whatever their metadata look like."""

import struct
import zlib

import pytest

from innotter.media.avatars import Refused, avatars
from innotter.media.tests.pictures import BLUE, RED, encoded, halves, raw_png
from innotter.media.tests.test_avatars import made, shows

JPEG, PNG = encoded(halves(), "JPEG"), encoded(halves(), "PNG")


def exif(kind: int, count: int, value: bytes, tag: int = 0x0112, entries: int = 1) -> bytes:
    """Of one tag, Orientation, of any type."""
    entry = struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", entries) + entry + b"\0\0\0\0"


def with_segment(data: bytes, marker: int = 0xE1, length: int | None = None) -> bytes:
    size = len(data) + 2 if length is None else length
    return JPEG[:2] + struct.pack(">BBH", 0xFF, marker, size) + data + JPEG[2:]


ODD_EXIF = {
    **{f"Orientation of type {kind}": exif(kind, 1, b"\x01\0\0\0") for kind in range(14)},
    **{f"Orientation {n} times": exif(3, n, b"\x01\0\x06\0") for n in (0, 2, 1000, 2**32 - 1)},
    "Orientation of 9": exif(3, 1, b"\x09\0"),
    "Orientation of bytes": exif(1, 4, b"\x01\x02\x03\x04"),
    "resolution by zero": exif(5, 1, b"\x08\0\0\0", tag=0x011A),
    "an offset behind the end": exif(5, 9, b"\xff\xff\xff\x7f"),
    "more entries than there are": exif(3, 1, b"\x01\0", entries=60_000),
    "no byte order": b"Exif\0\0XX*\0\x08\0\0\0",
    "cut off": exif(3, 1, b"\x01\0")[:17],
    "a header alone": b"Exif\0\0",
    "nothing": b"Exif",
    "a directory in itself": exif(4, 1, b"\x08\0\0\0", tag=0x8769),
    "directories behind the end": exif(4, 1, b"\xff\xff\xff\xff", tag=0x8825),
}
ODD_SEGMENTS = {
    "ICC broken": (0xE2, b"ICC_PROFILE\0\x01\x01broken"),
    "ICC of a number of parts": (0xE2, b"ICC_PROFILE\0\x07\x02"),
    "ICC cut off": (0xE2, b"ICC_PROFILE\0"),
    "MPF broken": (0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
    "MPF empty": (0xE2, b"MPF\0"),
    "MPF of another type": (0xE2, b"MPF\0" + exif(3, 1, b"\x01\0", tag=0xB001)[6:]),
    "XMP broken": (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmp tiff:Orientation='x'"),
    "XMP of a strange turn": (0xE1, b'http://ns.adobe.com/xap/1.0/\0tiff:Orientation="9"'),
    "Photoshop broken": (0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff"),
    "Photoshop's resolution": (0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x02ab"),
    "a comment": (0xFE, b"\xff\xfe"),
    "JFIF cut off": (0xE0, b"JFIF\0\x01"),
    "another Adobe": (0xEE, b"Adobe"),
}
ODD_CHUNKS = {
    "an EXIF of nothing": (b"eXIf", b""),
    "an EXIF that is broken": (b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "an EXIF of bytes": (b"eXIf", exif(1, 1, b"\x06")[6:]),
    "a profile that is broken": (b"iCCP", b"x\0\0broken"),
    "a profile without a name": (b"iCCP", b""),
    "gamma cut off": (b"gAMA", b"\0"),
    "size cut off": (b"pHYs", b"\0\0"),
    "chromaticity cut off": (b"cHRM", b"\0"),
    "sRGB of nothing": (b"sRGB", b""),
    "words broken": (b"zTXt", b"Raw profile type exif\0\0broken"),
    "words without an end": (b"iTXt", b"XML:com.adobe.xmp"),
    "animation cut off": (b"acTL", b"\0"),
    "a chunk of nobody's": (b"abCd", b"anything"),
    "time cut off": (b"tIME", b"\0"),
    # In some KB; Pillow stops unpacking at 1 MB and gives the file up.
    "10 MB of words": (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10 * 2**20))),
    "a profile of 10 MB": (b"iCCP", b"icc\0\0" + zlib.compress(bytes(10 * 2**20))),
    "transparency cut off": (b"tRNS", b"\0"),
    "transparency of nothing": (b"tRNS", b""),
    "transparency of a palette": (b"tRNS", b"\0" * 256),
}


@pytest.mark.parametrize("what", ODD_EXIF)
def test_exif_of_any_shape_refuses_no_jpeg(what: str) -> None:
    assert shows(made(with_segment(ODD_EXIF[what]), "JPEG"), RED, BLUE)


@pytest.mark.parametrize("what", ODD_SEGMENTS)
def test_other_segments_of_any_shape_refuse_no_jpeg(what: str) -> None:
    marker, data = ODD_SEGMENTS[what]
    assert shows(made(with_segment(data, marker), "JPEG"), RED, BLUE)


@pytest.mark.parametrize("what", ODD_CHUNKS)
def test_chunks_of_any_shape_refuse_no_png(what: str) -> None:
    row = b"\0" + bytes((*RED, *RED, *BLUE, *BLUE))
    assert shows(made(raw_png(4, 4, 8, 2, row * 4, ODD_CHUNKS[what])), RED, BLUE)


def test_a_checksum_of_metadata_refuses_no_png() -> None:
    row = b"\0" + bytes((*RED, *BLUE))
    file = raw_png(2, 2, 8, 2, row * 2, (b"tEXt", b"Title\0x")).replace(b"Title\0x", b"Title\0y")
    assert shows(made(file), RED, BLUE)


@pytest.mark.parametrize("file", [JPEG[:200], PNG[:60], b"\xff\xd8", b"\x89PNG\r\n\x1a\n"])
def test_what_has_no_pixels_is_refused_still(file: bytes) -> None:
    with pytest.raises(Refused, match="unreadable"):
        avatars(file, "PNG" if file[:1] == b"\x89" else "JPEG")
