"""Answers as JSON. A serializer declares them, for the OpenAPI document and for this; what it says
is read once in a process."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from rest_framework import fields, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

type Show = Callable[[Any], Any]

# What JSON has, or msgspec writes as DRF does, is shown as it is.
PLAIN = (
    fields.BooleanField,
    fields.CharField,
    fields.ChoiceField,
    fields.DateTimeField,
    fields.EmailField,
    fields.IntegerField,
    fields.URLField,
    fields.UUIDField,
)


@cache
def shows(serializer: type[serializers.BaseSerializer[Any]]) -> Show:
    """What makes of a row what the serializer shows of it. A serializer's methods have the row and
    nothing of the request."""
    return _serializer(serializer())


def _serializer(serializer: Any) -> Show:
    if type(serializer).to_representation is not serializers.Serializer.to_representation:
        return serializer.to_representation  # type: ignore[no-any-return]
    shown = [(field.field_name, _field(field)) for field in serializer._readable_fields]
    return lambda row: {name: show(row) for name, show in shown}


def _field(field: Any) -> Show:
    """Of a row, its value, or that of the row that it leads to."""
    if isinstance(field, fields.SerializerMethodField):
        return getattr(field.parent, field.method_name)  # type: ignore[no-any-return]
    value = _value(field.source_attrs)
    if type(field) in PLAIN or _is_plain_list(field):
        return value
    inner = _serializer(field) if isinstance(field, serializers.Serializer) else _represented(field)

    def show(row: Any) -> Any:
        found = value(row)
        return None if found is None else inner(found)

    return show


def _value(path: list[str]) -> Show:
    """At the end of a path from the row; None where the path ends in None before."""
    match path:
        case []:
            return lambda row: row
        case [name]:
            return attrgetter(name)
    first, rest = attrgetter(path[0]), _value(path[1:])

    def value(row: Any) -> Any:
        found = first(row)
        return None if found is None else rest(found)

    return value


def _represented(field: Any) -> Show:
    return field.to_representation  # type: ignore[no-any-return]


def _is_plain_list(field: Any) -> bool:
    return type(field) is fields.ListField and type(field.child) in PLAIN


class JsonRenderer(JSONRenderer):
    """The same bytes as DRF's own."""

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        if data is None:
            return b""
        found = msgspec.json.encode(data, enc_hook=_other)
        # Line ends in JavaScript, though not in JSON.
        return found.replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")


def _other(value: Any) -> Any:
    """What JSON has no form for: a text that says more than it, a text in the caller's language."""
    return str(value) if isinstance(value, str) else JSONEncoder().default(value)
