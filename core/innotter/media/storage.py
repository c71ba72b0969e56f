"""Where the files of pictures lie, and at which addresses the world gets them."""

from typing import Literal

from django.conf import settings

type Size = Literal["large", "small"]


def image_url(name: str, size: Size = "large") -> str:
    """The public address of a picture, for ever of the same bytes."""
    return f"{settings.MEDIA_URL}{_key(name, size)}"


def _key(name: str, size: Size) -> str:
    return f"{name}/{size}.webp"
