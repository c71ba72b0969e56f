from typing import Any, ClassVar

from rest_framework import serializers

from innotter.media.storage import image_url


class PictureField(serializers.FileField):
    """One file of a form."""

    default_error_messages: ClassVar = {"several": "One file is expected, not several."}

    def get_value(self, dictionary: Any) -> Any:
        files = dictionary.getlist(self.field_name) if dictionary else []
        return files if len(files) > 1 else super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list):
            self.fail("several")
        return super().to_internal_value(data)


class PictureSerializer(serializers.Serializer[Any]):
    image = PictureField(
        help_text="PNG, JPEG, WebP or GIF, with an extension that says so; at most 5 MB and 40 "
        "megapixels."
    )


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
