from typing import Any

from rest_framework import serializers

from innotter.media.storage import image_url


class ImageURLField(serializers.URLField):
    """The picture of a row with a foreign key `image`, which need not be loaded."""

    def __init__(self) -> None:
        super().__init__(
            source="image_id",
            read_only=True,
            allow_null=True,
            help_text="A WebP, 400 by 400 pixels; with `small.webp` at the end instead of "
            "`large.webp` 96 by 96.",
        )

    def to_representation(self, value: Any) -> str:
        return image_url(value)
