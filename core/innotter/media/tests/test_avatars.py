"""What becomes of pictures of every kind that we take: the right part, in the right colours."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from innotter.conftest import property_test
from innotter.media.avatars import LARGE, SMALL, Refused, avatars
from innotter.media.tests.pictures import BLUE, RED, encoded, halves, noise, raw_png

type Colour = tuple[int, ...]


def made(file: bytes, kind: str = "PNG") -> Image.Image:
    """The large avatar. The small one shows the same."""
    large, small = (Image.open(io.BytesIO(avatar)) for avatar in avatars(file, kind))
    assert (large.format, large.size) == ("WEBP", (LARGE, LARGE))
    assert (small.format, small.size) == ("WEBP", (SMALL, SMALL))
    assert large.getexif() == {}
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(large.info)
    for place in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)):
        assert alike(at(large, *place), at(small, *place))
    return large


def at(picture: Image.Image, across: float, down: float) -> Colour:
    rgba = picture.convert("RGBA")
    colour = rgba.getpixel((int(across * rgba.width), int(down * rgba.height)))
    assert isinstance(colour, tuple)
    return colour


def alike(one: Colour, other: Colour) -> bool:
    """As near as a lossy format leaves it, where there is anything to see."""
    one, other = ((*colour, 255)[:4] for colour in (one, other))
    if one[3] == other[3] == 0:
        return True
    return all(abs(a - b) <= 12 for a, b in zip(one, other, strict=True))


def shows(picture: Image.Image, left: Colour, right: Colour) -> bool:
    return alike(at(picture, 0.2, 0.5), left) and alike(at(picture, 0.8, 0.5), right)


# Colours


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_kind_keeps_its_colours(kind: str) -> None:
    assert shows(made(encoded(halves(), kind), kind), RED, BLUE)


def test_a_palette_is_looked_up() -> None:
    assert shows(made(encoded(halves().quantize(2), "PNG")), RED, BLUE)
    assert shows(made(encoded(halves().quantize(2), "GIF"), "GIF"), RED, BLUE)


def test_cmyk_becomes_what_it_means() -> None:
    assert shows(made(encoded(halves().convert("CMYK"), "JPEG"), "JPEG"), RED, BLUE)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_black_and_white_stay_so(mode: str) -> None:
    picture = halves((0, 0, 0), (255, 255, 255)).convert(mode)
    assert shows(made(encoded(picture, "PNG")), (0, 0, 0), (255, 255, 255))


def test_of_16_bits_the_upper_eight_remain() -> None:
    row = b"\0" + b"\x40\xff" * 32 + b"\xc0\xff" * 32
    assert shows(made(raw_png(64, 64, 16, 0, row * 64)), (0x40,) * 3, (0xC0,) * 3)
    row = b"\0" + b"\xff\xff\0\0\0\0" * 32 + b"\0\0\0\0\xff\xff" * 32
    assert shows(made(raw_png(64, 64, 16, 2, row * 64)), RED, BLUE)


def test_the_transparent_stays_transparent_and_leaves_no_edge() -> None:
    picture = halves().convert("RGBA")
    # Green nobody sees.
    picture.paste((0, 255, 0, 0), (32, 0, 64, 64))
    palette = halves().quantize(2)
    unseen = palette.getpixel((63, 0))
    for file, kind in (
        (encoded(picture, "PNG"), "PNG"),
        (encoded(picture, "WEBP", lossless=True, exact=True), "WEBP"),
        (encoded(palette, "PNG", transparency=unseen), "PNG"),
        (encoded(palette, "GIF", transparency=unseen), "GIF"),
        (encoded(halves(), "PNG", transparency=BLUE), "PNG"),
    ):
        avatar = made(file, kind)
        assert shows(avatar, RED, (0, 0, 0, 0))
        seen = [at(avatar, x / 100, 0.5) for x in range(100)]
        assert all(green < 12 for _, green, _, alpha in seen if alpha > 128)


def test_colours_of_another_space_are_translated() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A space in which red is blue and blue is red.
    swapped = srgb.replace(b"rXYZ", b"____", 1).replace(b"bXYZ", b"rXYZ", 1)
    swapped = swapped.replace(b"____", b"bXYZ", 1)
    for picture in (halves(), halves().convert("RGBA")):
        assert shows(made(encoded(picture, "PNG", icc_profile=swapped)), BLUE, RED)
    assert shows(made(encoded(halves(), "JPEG", icc_profile=swapped), "JPEG"), BLUE, RED)


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200])
def test_a_broken_profile_says_nothing(profile: bytes) -> None:
    assert shows(made(encoded(halves(), "PNG", icc_profile=profile)), RED, BLUE)


# The part that is shown


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    second = Image.new("RGB", (64, 64), "lime")
    film = encoded(halves(), kind, save_all=True, append_images=[second], duration=100)
    assert shows(made(film, kind), RED, BLUE)


def test_of_the_pictures_of_a_phone_the_first_is_taken() -> None:
    second = Image.new("RGB", (64, 64), "lime")
    file = encoded(halves(), "MPO", save_all=True, append_images=[second])
    assert shows(made(file, "JPEG"), RED, BLUE)


@pytest.mark.parametrize("size", [(400, 100), (100, 400)])
def test_the_middle_square_is_taken(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "lime")
    picture.paste(halves().resize((100, 100)), ((size[0] - 100) // 2, (size[1] - 100) // 2))
    avatar = made(encoded(picture, "PNG"))
    assert shows(avatar, RED, BLUE)
    assert alike(at(avatar, 0.02, 0.5), RED)
    assert alike(at(avatar, 0.97, 0.5), BLUE)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (801, 799), (20_000, 2), (2, 20_000)])
def test_a_picture_of_any_size_becomes_one_of_ours(size: tuple[int, int]) -> None:
    assert shows(made(encoded(Image.new("RGB", size, RED), "PNG")), RED, RED)


@pytest.mark.parametrize("side", [1_600, 1_999, 3_001])
def test_a_big_picture_keeps_its_parts_where_they_are(side: int) -> None:
    """However its rows fall into strips."""
    quarters = Image.new("RGB", (side, side), RED)
    quarters.paste(BLUE, (side // 2, 0, side, side // 2))
    quarters.paste((255, 255, 255), (0, side // 2, side // 2, side))
    for kind in ("PNG", "JPEG"):
        avatar = made(encoded(quarters, kind, **({"quality": 95} if kind == "JPEG" else {})), kind)
        assert alike(at(avatar, 0.97, 0.03), BLUE)
        assert alike(at(avatar, 0.03, 0.97), (255, 255, 255))
        assert alike(at(avatar, 0.97, 0.97), RED)
        assert alike(at(avatar, 0.45, 0.45), RED)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_stands_upright_and_its_place_is_forgotten(kind: str) -> None:
    exif = Image.Exif()
    # The camera was turned: what is left in the file was below.
    exif[0x0112] = 8
    exif.get_ifd(0x8825)[1] = "N"
    file = encoded(halves(), kind, exif=exif)
    assert Image.open(io.BytesIO(file)).getexif().get_ifd(0x8825)
    avatar = made(file, kind)
    assert alike(at(avatar, 0.5, 0.8), RED)
    assert alike(at(avatar, 0.5, 0.2), BLUE)


@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", b"PK\x03\x04 a whole archive"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_what_lies_behind_a_picture_is_gone(kind: str, tail: bytes) -> None:
    file = encoded(halves(), kind) + tail
    assert shows(made(file, kind), RED, BLUE)
    assert not any(tail[:8] in avatar for avatar in avatars(file, kind))


def test_words_within_a_picture_are_gone() -> None:
    file = encoded(halves(), "JPEG", comment=b"<script>", xmp=b"<x:xmpmeta/>")
    assert b"<script>" in file
    made(file, "JPEG")
    assert not any(b"<script>" in avatar for avatar in avatars(file, "JPEG"))


# Damage


def damaged(kind: str) -> st.SearchStrategy[bytes]:
    """A picture in which some bytes are others, and from which the end may be cut off."""
    file = encoded(noise((24, 24)).quantize(16) if kind == "GIF" else noise((24, 24)), kind)
    flips = st.lists(st.tuples(st.integers(0, len(file) - 1), st.integers(0, 255)), max_size=12)

    def damage(flips: list[tuple[int, int]], end: int) -> bytes:
        bad = bytearray(file)
        for place, value in flips:
            bad[place] = value
        return bytes(bad[:end])

    # The header, where most of the meaning is, is hit as often as all that follows.
    heads = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 255)), max_size=3)
    ends = st.just(len(file)) | st.integers(0, len(file))
    return st.builds(damage, flips | heads, ends)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_damage_of_whatever_kind_is_a_refusal_or_a_picture(kind: str) -> None:
    @property_test
    @given(damaged(kind))
    def holds(file: bytes) -> None:
        try:
            made_of = avatars(file, kind)
        except Refused:
            return
        assert [Image.open(io.BytesIO(avatar)).width for avatar in made_of] == [LARGE, SMALL]

    check: Callable[[], None] = holds
    check()
