"""What we do not take: each refused with the reason, and without a trace."""

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from PIL import Image

from innotter.accounts.models import User
from innotter.conftest import Api, bad_fields, no_trace, refusal
from innotter.media import avatars, services
from innotter.media.tests.pictures import encoded, halves, noise, png, raw_png, stored

ROUTE = "/users/me/image"


def gif(screen: tuple[int, int], frame: tuple[int, int] = (8, 8)) -> bytes:
    """Of these sizes, and with 8 by 8 pixels."""
    file = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    file[6:10] = struct.pack("<HH", *screen)
    start = file.index(b",\0\0\0\0") + 5
    file[start : start + 4] = struct.pack("<HH", *frame)
    return bytes(file)


def jpeg(width: int, height: int) -> bytes:
    file = bytearray(encoded(halves(), "JPEG"))
    start = file.index(b"\xff\xc0")
    file[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(file)


def webp(width: int, height: int) -> bytes:
    """Of a canvas that its frame does not have."""
    canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", len(canvas)) + canvas
    chunks += encoded(halves(), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("face.png", png())
    return file.getvalue()


def half(file: bytes) -> bytes:
    return file[: len(file) // 2]


HTML = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    # Bombs: the bytes are few, what they claim is not.
    "a big PNG": ("a.png", lambda: raw_png(8_000, 5_001, 8, 0, b""), "too_many_pixels"),
    "a PNG beyond all measure": (
        "a.png",
        lambda: raw_png(2**31 - 1, 9, 1, 0, b""),
        "too_many_pixels",
    ),
    "a big GIF": ("a.gif", lambda: gif((65_535, 65_535)), "too_many_pixels"),
    "a GIF with a big frame": ("a.gif", lambda: gif((8, 8), (65_535, 65_535)), "too_many_pixels"),
    "a big JPEG": ("a.jpg", lambda: jpeg(65_000, 65_000), "too_many_pixels"),
    "a WebP with a big canvas": ("a.webp", lambda: webp(16_383, 16_383), "too_many_pixels"),
    "a WebP beyond all measure": ("a.webp", lambda: webp(2**24, 2**24), "too_many_pixels"),
    # Damaged.
    "half a PNG": ("a.png", lambda: half(encoded(noise(), "PNG")), "unreadable"),
    "half a JPEG": ("a.jpg", lambda: half(encoded(noise(), "JPEG")), "unreadable"),
    "half a WebP": ("a.webp", lambda: half(encoded(noise(), "WEBP")), "unreadable"),
    "half a GIF": ("a.gif", lambda: half(encoded(noise(), "GIF")), "unreadable"),
    "a WebP whose size is a lie": ("a.webp", lambda: webp(4_000, 4_000), "unreadable"),
    "a PNG of no pixels": ("a.png", lambda: raw_png(0, 0, 8, 0, b""), "unreadable"),
    "a PNG of no width": ("a.png", lambda: raw_png(0, 8, 8, 0, bytes(8)), "unreadable"),
    "a GIF of no pixels": ("a.gif", lambda: gif((0, 0), (0, 0)), "unreadable"),
    # Something else.
    "HTML": ("a.png", lambda: HTML, "unreadable"),
    "HTML and then a picture": ("a.png", lambda: HTML + png(), "unreadable"),
    "SVG": ("a.png", lambda: SVG, "unreadable"),
    "SVG that says so": ("a.svg", lambda: SVG, "unknown_extension"),
    "an archive": ("a.png", archive, "unreadable"),
    "a BMP": ("a.png", lambda: encoded(halves(), "BMP"), "unreadable"),
    "a TIFF": ("a.jpg", lambda: encoded(halves(), "TIFF"), "unreadable"),
    "an icon": ("a.png", lambda: encoded(halves(), "ICO"), "unreadable"),
    "an EPS": ("a.png", lambda: encoded(halves(), "EPS"), "unreadable"),
    # Pictures that are called something else.
    "a JPEG called .png": ("a.png", lambda: encoded(halves(), "JPEG"), "wrong_extension"),
    "a PNG called .jpg": ("a.jpg", lambda: encoded(halves(), "PNG"), "wrong_extension"),
    "a GIF called .webp": ("a.webp", lambda: encoded(halves(), "GIF"), "wrong_extension"),
    "a WebP called .gif": ("a.gif", lambda: encoded(halves(), "WEBP"), "wrong_extension"),
    "a phone's picture called .png": (
        "a.png",
        lambda: encoded(halves(), "MPO", save_all=True, append_images=[halves()]),
        "wrong_extension",
    ),
    "no extension": ("a", png, "unknown_extension"),
    "nothing but an extension": (".png", png, "unknown_extension"),
    "an extension without its dot": ("png", png, "unknown_extension"),
    "the last of two extensions": ("a.png.html", png, "unknown_extension"),
    "an extension with a space": ("a.png .", png, "unknown_extension"),
    "a phone's picture by its own name": ("a.mpo", png, "unknown_extension"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_its_reason(api: Api, ann: User, case: str) -> None:
    name, file, code = REFUSED[case]
    with no_trace():
        answer = api(ann).upload(ROUTE, file(), name=name)
        assert bad_fields(answer) == ["image"]
        assert answer.json()["errors"][0]["code"] == code


@pytest.mark.parametrize("name", ["A.PNG", "a.exe.png", "лицо.png", "..png"])
def test_the_name_before_the_extension_means_nothing(api: Api, ann: User, name: str) -> None:
    assert api(ann).upload(ROUTE, png(), name=name).status_code == 200


def test_40_megapixels_are_taken_and_no_pixel_more(api: Api, ann: User) -> None:
    row = bytes(1 + 8_000)
    most = raw_png(8_000, 5_000, 8, 0, row * 5_000)
    answer = api(ann).upload(ROUTE, most)
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(stored(answer))).size == (avatars.LARGE, avatars.LARGE)
    prime = raw_png(40_000_001, 1, 8, 0, b"")
    assert api(ann).upload(ROUTE, prime).json()["errors"][0]["code"] == "too_many_pixels"


# The program that looks at the file


def program(patch: pytest.MonkeyPatch, code: str) -> None:
    """Python code in its place, which finds it imported as `avatars`."""
    folder = services.PROGRAM[-1].rpartition("/")[0]
    words = [sys.executable, "-I", "-c", f"import sys; sys.path = [{folder!r}, *sys.path]\n{code}"]
    patch.setattr(services, "PROGRAM", words)


IMPORTED = "import avatars; {change}; avatars.main(sys.argv[1])"


def scans_without_end() -> bytes:
    """A progressive JPEG with its last scan over and over: within 5 MB that can be work for
    minutes."""
    file = encoded(Image.new("L", (4_000, 2_500), 128), "JPEG", progressive=True)
    start = file.rindex(b"\xff\xda")
    return file[:start] + file[start:-2] * 1_000 + file[-2:]


@pytest.mark.parametrize(
    ("change", "name", "file"),
    [
        ("avatars.CPU_SECONDS = 1", "a.jpg", scans_without_end),
        (
            "avatars.MEMORY = 150 * 2**20",
            "a.png",
            lambda: raw_png(5_000, 5_000, 8, 2, bytes(15_001) * 5_000),
        ),
    ],
    ids=["work", "memory"],
)
def test_its_work_and_memory_have_a_bound(
    api: Api,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    name: str,
    file: Callable[[], bytes],
) -> None:
    program(monkeypatch, IMPORTED.format(change=change))
    with no_trace():
        answer = api(ann).upload(ROUTE, file(), name=name)
        assert answer.json()["errors"][0]["code"] == "unreadable"


def test_a_file_that_kills_it_is_refused(
    api: Api, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import os; os.kill(os.getpid(), 11)")
    with no_trace():
        answer = api(ann).upload(ROUTE, png())
        assert answer.json()["errors"][0]["code"] == "unreadable"


def test_a_mistake_of_its_own_is_blamed_on_no_file(
    api: Api, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"):
        api(ann).upload(ROUTE, png())


def test_it_is_told_no_secrets(api: Api, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", settings.SECRET_KEY)
    program(monkeypatch, "import os; sys.exit(str(dict(os.environ)))")
    with pytest.raises(RuntimeError) as said:
        api(ann).upload(ROUTE, png())
    assert "SECRET" not in str(said.value)
    assert "AWS" not in str(said.value)


@pytest.mark.parametrize("slow", ["the others", "the program"])
def test_who_has_to_wait_too_long_may_come_again(
    api: Api, ann: User, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    patched: dict[str, Any] = {"the others": ("PATIENCE", 0), "the program": ("LONGEST", 0.01)}
    monkeypatch.setattr(services, *patched[slow])
    if slow == "the others":
        services.TURN.acquire()
    try:
        with no_trace():
            answer = api(ann).upload(ROUTE, png())
            assert refusal(answer) == (503, "busy")
            assert int(answer["Retry-After"]) > 0
    finally:
        if slow == "the others":
            services.TURN.release()
    monkeypatch.undo()
    assert api(ann).upload(ROUTE, png()).status_code == 200
