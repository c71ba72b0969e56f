"""Makes avatars of a picture that a stranger has sent, in a process of its own.

What decodes such files is big, is written in C and has had holes. It runs where a crash, a trap
for memory or a loop without end costs one refusal: `services` starts this file as a program, gives
it the picture and nothing else, and reads avatars or the reason why there are none. Pillow stands
here and nowhere else, and nothing of ours is imported.
"""

import json
import resource
import sys
import warnings
from io import BytesIO

from PIL import Image, ImageCms, ImageOps

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
SRGB = ImageCms.createProfile("sRGB")


class Refused(Exception):
    """The picture is not what we take; in one word, why."""


def avatars(file: bytes, kind: str) -> list[bytes]:
    """The middle square of a picture, upright and without what else the file holds, as WebP: large
    and small. Raises Refused for other files than pictures of that kind."""
    try:
        with warnings.catch_warnings(action="ignore"), _opened(file) as picture:
            # A phone's MPO is a JPEG with more pictures behind it, of which the first counts.
            if kind != ("JPEG" if picture.format == "MPO" else picture.format):
                raise Refused("wrong_extension")
            square = _upright(_in_srgb(_square(picture), picture.info.get("icc_profile")), picture)
            return [_webp(square, size) for size in (LARGE, SMALL)]
    except Image.DecompressionBombError:
        raise Refused("too_many_pixels") from None
    except Refused:
        raise
    except Exception as error:  # Pillow raises whatever its decoders stumble on
        raise Refused("unreadable") from error


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
    square.info = {"exif": picture.getexif().tobytes()}
    return ImageOps.exif_transpose(square)


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
