from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import DataAndFiles, MultiPartParser


class PictureParser(MultiPartParser):
    """A form with a file, whose names are UTF-8; a charset in the Content-Type is ignored."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        """Raises RequestDataTooBig (413) for a body that is far larger than any picture, unread;
        ParseError for one that is no form."""
        context = {**(parser_context or {}), "encoding": "utf-8"}
        length = context["request"].META.get("CONTENT_LENGTH") or 0
        if int(length) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig
        return super().parse(stream, media_type, context)
