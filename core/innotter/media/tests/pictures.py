"""Pictures that tests send, made by code, and what became of them."""

import io
from typing import TYPE_CHECKING, Any

import boto3
from django.conf import settings
from PIL import Image

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer


def png(colour: str = "orange", size: tuple[int, int] = (8, 8)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def stored(answer: "Answer", size: str = "large") -> bytes:
    """The file at the address that a profile tells of."""
    key = answer.json()["image"].removeprefix(settings.MEDIA_URL).replace("large", size)
    found = boto3.client("s3").get_object(Bucket=settings.MEDIA_BUCKET, Key=key)
    return found["Body"].read()
