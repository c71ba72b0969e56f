"""Pictures of the demo data's people and pages, drawn of their names: the same at every run."""

import colorsys
import io
from hashlib import sha256
from unittest.mock import patch

from django.core.files.base import ContentFile
from PIL import Image, ImageDraw

from innotter.accounts import services as accounts
from innotter.accounts.models import User
from innotter.media.avatars import avatars
from innotter.media.storage import StorageUnavailable
from innotter.pages import services as pages
from innotter.pages.models import Page

# Fields in a row, and pixels of each.
FIELDS, FIELD = 5, 80


def give_pictures() -> str:
    """To everybody and every page; what became of it. Without storage there are none."""
    # Made by ourselves: a program of its own for each would take longer than all the rest.
    with patch("innotter.media.services._avatars", avatars):
        try:
            for user in User.objects.all():
                accounts.set_image(actor=user, image=_picture(user.username))
            for page in Page.objects.select_related("owner"):
                pages.set_image(actor=page.owner, page=page, image=_picture(page.uuid))
        except StorageUnavailable:
            return "no pictures: there is nowhere to store them"
    return "a picture each"


def _picture(word: str) -> "ContentFile[bytes]":
    file = io.BytesIO()
    drawn(word).save(file, "PNG")
    return ContentFile(file.getvalue(), "drawn.png")


def drawn(word: str) -> Image.Image:
    """A pattern, the same on the left and on the right."""
    digest = sha256(word.encode()).digest()
    hue = digest[0] / 256
    picture = Image.new("RGB", (FIELDS * FIELD,) * 2, _colour(hue, 0.93))
    draw = ImageDraw.Draw(picture)
    for number in range(FIELDS * (FIELDS // 2 + 1)):
        column, row = divmod(number, FIELDS)
        if digest[1 + number] % 2:
            for x in {column, FIELDS - 1 - column}:
                corner = x * FIELD, row * FIELD
                opposite = corner[0] + FIELD - 1, corner[1] + FIELD - 1
                draw.rectangle((corner, opposite), _colour(hue, 0.35 + digest[20] / 1024))
    return picture


def _colour(hue: float, lightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.6)
    return int(red * 255), int(green * 255), int(blue * 255)
