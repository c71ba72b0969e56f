"""Fields that take a value for what it is.

DRF's own read the number 5 as the text "5", and "yes" or 1 as true.
"""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from rest_framework import serializers

from innotter.common.text import nfc


class TextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def id_from(text: str) -> UUID:
    """Raises ValueError for any spelling but the one that we write: in upper case, in braces or
    without dashes an id names nothing."""
    found = UUID(text)
    if str(found) != text:
        raise ValueError
    return found


class IdField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> UUID:
        try:
            return id_from(str(data))
        except ValueError:
            self.fail("invalid", value=data)


class NfcField(TextField):
    """A text that is kept, and counted, in NFC."""

    max_length: int

    def to_internal_value(self, data: Any) -> str:
        return nfc(super().to_internal_value(data), self.max_length)


class TextsField(serializers.ListField):
    """A list of texts, refused for its length before anything in it is looked at."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class PatternField(TextField, serializers.RegexField):
    """A text that matches a regular expression."""


class FlagField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class WholeField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class ModelSerializer[M: models.Model](serializers.ModelSerializer[M]):
    """For the bodies that are made from a model's fields."""

    serializer_field_mapping: ClassVar = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: NfcField,
        models.BooleanField: FlagField,
        models.PositiveSmallIntegerField: WholeField,
    }
