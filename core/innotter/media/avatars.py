"""Makes avatars of an uploaded, untrusted picture, in a separate process.

What decodes such files is big, is written in C and has had holes. It runs where a crash, a trap
for memory or a loop without end costs one refusal: `services` starts this file as a program, gives
it the picture and nothing else, and reads avatars or the reason why there are none. Pillow stands
here and nowhere else, and nothing of ours is imported.
"""

import json
import resource
import sys
import warnings
from collections.abc import Iterator
from io import BytesIO

from PIL import ExifTags, Image, ImageCms

MAX_PIXELS = 40_000_000
# Pixels of each side.
LARGE, SMALL = 400, 96
# Of the process: some times what the worst picture within the bounds takes (docs/images.md).
MEMORY = 1024**3
CPU_SECONDS = 5
# Rows that are converted at a time: only a strip of a big picture is there twice.
STRIP = 256

# Pillow refuses more than twice this as soon as it knows the size, before it decodes.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
PNG = b"\x89PNG\r\n\x1a\n"
# Octets of transparency by the colour type (PNG, 11.3.1.1): grey, colour, palette. Browsers pass
# over others.
TRANSPARENCY = {0: (2,), 2: (6,), 3: range(1, 257)}
# By EXIF's Orientation, 1 being upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SRGB = ImageCms.createProfile("sRGB")


class Refused(Exception):
    """The picture is not what we take; in one word, why."""


def avatars(file: bytes, kind: str) -> list[bytes]:
    """The middle square of a picture, upright and without what else the file holds, as WebP: large
    and small. Raises Refused for other files than pictures of that kind."""
    try:
        return _avatars(file, kind)
    except Image.DecompressionBombError:
        raise Refused("too_many_pixels") from None
    except Refused:
        raise
    except Exception as error:  # Pillow raises whatever its decoders stumble on
        # What we throw away anyway, and browsers pass over, decides nothing.
        bare = _without_metadata(file)
        if bare == file:
            raise Refused("unreadable") from error
        return avatars(bare, kind)


def _avatars(file: bytes, kind: str) -> list[bytes]:
    with warnings.catch_warnings(action="ignore"), _opened(file) as picture:
        # A phone's MPO is a JPEG with more pictures behind it, of which the first counts.
        if kind != ("JPEG" if picture.format == "MPO" else picture.format):
            raise Refused("wrong_extension")
        square = _upright(_in_srgb(_square(picture), picture.info.get("icc_profile")), picture)
        return [_webp(square, size) for size in (LARGE, SMALL)]


def _without_metadata(file: bytes) -> bytes:
    """A JPEG or PNG with what its pixels need, and nothing else; other files as they are."""
    if file.startswith(b"\xff\xd8"):
        return file[:2] + b"".join(_jpeg_segments(file))
    if file.startswith(PNG):
        return PNG + b"".join(_png_chunks(file))
    return file


def _jpeg_segments(file: bytes) -> Iterator[bytes]:
    """To the first scan, and then the rest. Without comments and application segments, but for
    Adobe's (APP14, ITU T.872, of 14 octets), which says what the colours are."""
    at = 2
    while file[at : at + 1] == b"\xff" and (marker := file[at + 1 : at + 2]) != b"\xda":
        end = at + 2 + int.from_bytes(file[at + 2 : at + 4])
        adobe = marker == b"\xee" and end - at >= 2 + 14
        if adobe or not (b"\xe0" <= marker <= b"\xef" or marker == b"\xfe"):
            yield file[at:end]
        at = end
    yield file[at:]


def _png_chunks(file: bytes) -> Iterator[bytes]:
    """The critical ones, whose names begin with a capital letter, and transparency."""
    at = len(PNG)
    while at < len(file):
        name = file[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(file[at : at + 4])
        colour_type, length = file[len(PNG) + 17], end - at - 12
        if name[:1].isupper() or (name == b"tRNS" and length in TRANSPARENCY.get(colour_type, ())):
            yield file[at:end]
        at = end


def _opened(file: bytes) -> Image.Image:
    return Image.open(BytesIO(file), formats=["PNG", "JPEG", "WEBP", "GIF"])


def _square(picture: Image.Image) -> Image.Image:
    """The middle of the first frame, in full colours, not yet much smaller than that."""
    # A JPEG can be decoded at a fraction of its size.
    picture.draft(None, (2 * LARGE, 2 * LARGE))
    picture.load()
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    factor = max(1, side // (2 * LARGE))
    mode = _mode(picture)
    square = Image.new(mode, (-(-side // factor), -(-side // factor)))
    for row in range(0, side, STRIP * factor):
        bottom = min(row + STRIP * factor, side)
        strip = picture.crop((left, top + row, left + side, top + bottom))
        square.paste(_in_mode(strip, mode).reduce(factor), (0, row // factor))
    return square


def _mode(picture: Image.Image) -> str:
    if picture.mode == "CMYK":
        return "CMYK"
    return "RGBA" if picture.has_transparency_data else "RGB"


def _in_mode(strip: Image.Image, mode: str) -> Image.Image:
    if strip.mode == "I;16":
        # Pillow would cut off what is over 255.
        strip = strip.point(lambda value: value / 256).convert("L")
    return strip.convert(mode)


def _in_srgb(square: Image.Image, profile: bytes | None) -> Image.Image:
    """In the colours that everybody takes a picture without a profile to have."""
    mode = "RGBA" if square.mode == "RGBA" else "RGB"
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(square, own, SRGB, outputMode=mode)
        except (ImageCms.PyCMSError, OSError):
            # A profile that is broken, or of another kind of picture, says nothing.
            converted = None
        if converted is not None:
            return converted
    return square.convert(mode)


def _upright(square: Image.Image, picture: Image.Image) -> Image.Image:
    """Turned as the camera was held. A middle square stays one however it is turned."""
    orientation = picture.getexif().get(ExifTags.Base.Orientation)
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    return square if turn is None else square.transpose(turn)


def _webp(square: Image.Image, size: int) -> bytes:
    avatar = square.resize((size, size), Image.Resampling.LANCZOS)
    avatar.info = {}
    file = BytesIO()
    avatar.save(file, "WEBP", quality=80, method=4)
    return file.getvalue()


def main(kind: str) -> None:
    """From standard input to standard output: a line of JSON, and the avatars that it announces."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    files: list[bytes] = []
    try:
        files = avatars(sys.stdin.buffer.read(), kind)
        said: dict[str, object] = {"sizes": [len(file) for file in files]}
    except Refused as refused:
        said = {"refused": str(refused), "because": repr(refused.__cause__)}
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + b"".join(files))


if __name__ == "__main__":
    main(sys.argv[1])
