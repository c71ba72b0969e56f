"""Pictures that tests send, made by code, and what became of them."""

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import boto3
from django.conf import settings
from PIL import Image

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

RED, BLUE = (255, 0, 0), (0, 0, 255)


def png(colour: str = "orange", size: tuple[int, int] = (8, 8)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def halves(left: tuple[int, ...] = RED, right: tuple[int, ...] = BLUE) -> Image.Image:
    picture = Image.new("RGB", (64, 64), left)
    picture.paste(right, (32, 0, 64, 64))
    return picture


def noise(size: tuple[int, int] = (96, 96)) -> Image.Image:
    """What no format makes small."""
    return Image.effect_noise(size, 100).convert("RGB")


def raw_png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    """A PNG by hand: what its header says, and then any chunks and rows. The rows are inflated
    ones, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def stored(answer: "Answer", size: str = "large") -> bytes:
    """The file at the URL in a profile."""
    key = answer.json()["image"].removeprefix(settings.MEDIA_URL).replace("large", size)
    found = boto3.client("s3").get_object(Bucket=settings.MEDIA_BUCKET, Key=key)
    return found["Body"].read()
